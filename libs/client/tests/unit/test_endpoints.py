"""Where the client looks for Relearn."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest

from relearn_client import NotConfigured
from relearn_client.endpoints import access


def stack(folder: Path, **content: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text("from-the-stack\n")
    written = {"endpoints": {"registry": "127.0.0.1:1", "kafka": "127.0.0.1:2"}, "token_file": str(folder / "token")}
    (folder / "stack.json").write_text(json.dumps({**written, **content}))
    return folder


def test_a_local_stack_says_where_it_is_and_lends_its_token(tmp_path: Path):
    found = access(endpoints={}, token=None, home=stack(tmp_path), environment={})

    assert (found.endpoints.of("registry"), found.endpoints.of("kafka")) == ("127.0.0.1:1", "127.0.0.1:2")
    assert found.bearer() == "from-the-stack"


def test_the_environment_comes_before_the_stack_and_arguments_before_both(tmp_path: Path):
    around = {"RELEARN_HOME": str(stack(tmp_path)), "RELEARN_REGISTRY": "far:1", "RELEARN_TOKEN": "mine"}

    from_environment = access(endpoints={}, token=None, home=None, environment=around)
    from_arguments = access(endpoints={"registry": "farther:1"}, token="yours", home=None, environment=around)

    assert (from_environment.endpoints.registry, from_environment.token) == ("far:1", "mine")
    assert (from_arguments.endpoints.registry, from_arguments.token) == ("farther:1", "yours")


def test_what_is_not_known_is_said_when_it_is_needed(tmp_path: Path):
    found = access(endpoints={}, token=None, home=tmp_path, environment={})

    with pytest.raises(NotConfigured, match="RELEARN_LABELING"):
        found.endpoints.of("labeling")
    with pytest.raises(NotConfigured, match="RELEARN_TOKEN"):
        found.bearer()


def test_a_broken_stack_file_and_an_unknown_name_are_told(tmp_path: Path):
    (tmp_path / "stack.json").write_text("{")

    with pytest.raises(NotConfigured, match=r"stack\.json"):
        access(endpoints={}, token=None, home=tmp_path, environment={})
    with pytest.raises(NotConfigured, match="registri"):
        access(endpoints={"registri": "x:1"}, token=None, home=tmp_path / "none", environment={})


def test_a_token_file_of_somebody_else_is_no_token(tmp_path: Path):
    folder = stack(tmp_path, token_file=str(tmp_path / "none"))

    assert access(endpoints={}, token=None, home=folder, environment={}).token == ""


def test_a_local_stack_runs_while_its_supervisor_holds_the_lock(tmp_path: Path):
    lock = tmp_path / "supervisor.lock"
    lock.touch()
    local = access(endpoints={}, token=None, home=stack(tmp_path, lock_file=str(lock)), environment={})
    elsewhere = access(endpoints={"registry": "far:1"}, token=None, home=tmp_path, environment={})

    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not local.is_stopped()

    assert local.is_stopped()
    assert not elsewhere.is_stopped()
