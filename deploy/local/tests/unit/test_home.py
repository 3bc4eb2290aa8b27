"""The lock that says who runs, and the record of what runs."""

import json
import os

import pytest

from relearn_local import children, lock, stack
from relearn_local.stack import Home, ProcessReport, Stack


@pytest.fixture
def home(tmp_path):
    made = Home(path=tmp_path)
    made.make()
    return made


def test_what_was_written_is_read_again(home):
    me = children.identity(os.getpid())
    web = ProcessReport(name="web", state="running", address=None, serves_health=False, log="", pid=me.pid, ticks=7)
    written = Stack(home=str(home.path), supervisor=me, endpoints={"web": "127.0.0.1:1"}, processes=(web,))

    stack.write(home, written)

    assert stack.read(home) == written
    assert [one.ticks for one in written.recorded()] == [7]


@pytest.mark.parametrize("damaged", ["", "{", "[]", "{}", '{"format": 0}', '{"format": 1, "home": ""}'])
def test_a_record_that_can_not_be_read_is_none(home, damaged):
    home.stack_file.write_text(damaged)

    assert stack.read(home) is None


def test_a_record_counts_only_while_the_one_who_wrote_it_holds_the_lock(home):
    stack.write(home, Stack(home="", supervisor=children.identity(os.getpid()), endpoints={}, processes=()))

    before = stack.running(home)
    with lock.hold(home.lock_file):
        during = stack.running(home)
        held = home.is_supervised()

    assert (before, during is not None, held, home.is_supervised()) == (None, True, True, False)


def test_there_is_one_holder_and_the_file_says_who(home, monkeypatch):
    monkeypatch.setattr(lock, "GLANCE_S", 0.1)

    with lock.hold(home.lock_file):
        said = json.loads(home.lock_file.read_text())
        with pytest.raises(lock.Held), lock.hold(home.lock_file):
            pass

    assert said["pid"] == os.getpid()
