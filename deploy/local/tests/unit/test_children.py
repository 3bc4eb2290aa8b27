"""Real children, and processes that only share an id with one."""

import os
import signal
import subprocess
from dataclasses import replace

import pytest

from relearn_local import children


@pytest.fixture
def sleeper():
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    yield child
    children.stop(child, gently=signal.SIGTERM, grace_s=5)


def test_a_child_that_was_reaped_is_left_alone_for_its_id_may_be_a_strangers_by_now(sleeper):
    ended = subprocess.Popen(["true"])
    ended.wait()
    ended.pid = sleeper.pid  # as when the id was given out again

    children.stop(ended, gently=signal.SIGTERM, grace_s=1)

    assert not children.has_ended(sleeper)


def test_what_is_left_of_a_session_is_killed_while_its_dead_leader_still_holds_the_id(tmp_path):
    script = "sleep 600 & echo $!"
    leader = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    orphan = int(leader.stdout.readline())
    children.wait_until_ended(leader)
    before = os.getsid(orphan)

    code = children.finish(leader)

    assert (code, before) == (0, leader.pid)
    assert leader.stdout.read() == b""  # its last writer is gone
    leader.stdout.close()


def test_an_identity_is_that_of_one_process_of_one_boot(sleeper, monkeypatch):
    found = children.identity(sleeper.pid)

    assert found.is_alive()
    assert not replace(found, ticks=found.ticks + 1).is_alive()
    assert not replace(found, boot_id="another").is_alive()
    sleeper.kill()
    children.wait_until_ended(sleeper)
    assert not found.is_alive()  # a zombie runs no more


def test_an_identity_does_not_depend_on_the_clock(sleeper, monkeypatch):
    found = children.identity(sleeper.pid)
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: 0.0)  # what psutil derives start times from

    assert found.is_alive()
    assert children.identity(sleeper.pid) == found
