"""Real child processes, on a task that fails fast: there is no pack."""

import asyncio
import os

import psutil
import pytest
from training_world import children_of, kill

from relearn_runtime.testing import eventually
from relearn_training.children import Children, TaskFailed
from relearn_training.learning.tasks import PrepareTask


@pytest.fixture
async def children(monkeypatch):
    monkeypatch.setenv("TRAINING_TOKEN", "a secret")
    made = Children(places=1, niceness=0, timeout_s=60)
    yield made
    await made.rest()
    assert children_of(os.getpid()) == []


def ignore(_) -> None:
    pass


def task(folder) -> PrepareTask:
    missing = folder / "missing"
    return PrepareTask(
        pack=missing,
        index=missing,
        output=folder,
        classes=("a", "b"),
        preprocessing=None,
        size=None,
        champion_version_n=0,
    )


async def test_a_task_that_fails_says_why_and_its_child_does_the_next_one(children, tmp_path):
    pids = []
    for _ in range(2):
        with pytest.raises(TaskFailed, match="FileNotFoundError"):
            await children.do(task(tmp_path), tmp_path / "task.json", on_progress=ignore)
        pids += [child.pid for child in children_of(os.getpid())]

    assert len(pids) == 2
    assert len(set(pids)) == 1


async def test_a_killed_child_is_a_failed_task_and_a_new_one_takes_its_place(children, tmp_path):
    with pytest.raises(TaskFailed, match="FileNotFoundError"):
        await children.do(task(tmp_path), tmp_path / "task.json", on_progress=ignore)
    (first,) = children_of(os.getpid())
    kill(first)

    with pytest.raises(TaskFailed, match="ended with -9"):
        await children.do(task(tmp_path), tmp_path / "task.json", on_progress=ignore)
    with pytest.raises(TaskFailed, match="FileNotFoundError"):
        await children.do(task(tmp_path), tmp_path / "task.json", on_progress=ignore)


async def test_cancelling_a_task_leaves_no_child(children, tmp_path):
    doing = asyncio.create_task(children.do(task(tmp_path), tmp_path / "task.json", on_progress=ignore))
    await eventually(lambda: children_of(os.getpid()), 10)

    doing.cancel()

    with pytest.raises(asyncio.CancelledError):
        await doing
    assert children_of(os.getpid()) == []


async def test_a_child_knows_none_of_our_secrets(children, tmp_path):
    with pytest.raises(TaskFailed):
        await children.do(task(tmp_path), tmp_path / "task.json", on_progress=ignore)

    (child,) = children_of(os.getpid())
    environment = psutil.Process(child.pid).environ()

    assert not [name for name in environment if name.startswith("TRAINING_")]
    assert environment["OMP_NUM_THREADS"] == "1"
