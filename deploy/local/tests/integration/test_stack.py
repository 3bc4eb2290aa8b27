"""Up, down, kill: the supervisor and the commands around it, with tiny real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from relearn_local import children, launch, stack
from relearn_local.launch import StackError
from relearn_local.ports import PortClaims, accepts
from relearn_local.stack import Home
from relearn_local.supervisor import Process, Supervisor


def test_up_returns_when_every_process_listens_and_says_where(tiny, port):
    running = tiny.of(web={"port": port, "command": tiny.server}).up()

    assert running.endpoints == {"web": f"127.0.0.1:{port}"}
    assert accepts(port)


def test_up_waits_until_a_service_reports_that_it_serves(tiny, port):
    running = tiny.of(web={"port": port, "command": [*tiny.server, "serving"], "health": True}).up()

    assert [process.state for process in running.processes] == ["running"]


def test_up_twice_is_the_same_as_once(tiny, port):
    first = tiny.of(web={"port": port, "command": tiny.server}).up()

    second = tiny.up()

    assert (second.supervisor, second.processes) == (first.supervisor, first.processes)


def test_two_ups_at_the_same_time_make_one_stack(tiny, port):
    tiny.of(web={"port": port, "command": tiny.server})
    found = []
    threads = [threading.Thread(target=lambda: found.append(tiny.up().supervisor)) for _ in range(2)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 2
    assert found[0] == found[1]


def test_a_busy_port_is_avoided(tiny, port):
    with socket.create_server(("127.0.0.1", port)):
        running = tiny.of(web={"port": port, "command": tiny.server}).up()

    assert running.endpoints["web"] != f"127.0.0.1:{port}"
    assert accepts(int(running.endpoints["web"].rpartition(":")[2]))


def test_a_port_that_another_stack_has_claimed_but_does_not_use_yet_is_avoided(tiny, port):
    other = PortClaims()
    assert other.claim(port) == port

    running = tiny.of(web={"port": port, "command": tiny.server}).up()
    other.release()

    assert running.endpoints["web"] != f"127.0.0.1:{port}"


def test_a_killed_process_is_started_again_on_its_port(tiny, port):
    tiny.of(web={"port": port, "command": tiny.server}).up()
    before = tiny.process("web")
    assert before.pid is not None

    os.kill(before.pid, signal.SIGKILL)

    assert tiny.eventually(lambda: tiny.process("web").restarts == 1 and tiny.process("web").state == "running")
    assert tiny.process("web").pid != before.pid
    assert tiny.process("web").reason == "was ended by SIGKILL"
    assert accepts(port)


def test_what_a_killed_process_had_started_does_not_outlive_it(tiny, port, tmp_path):
    pid_file = tmp_path / "grandchild"
    tiny.of(web={"port": port, "command": [*tiny.server, "with-child", str(pid_file)]}).up()
    grandchild = int(pid_file.read_text())
    leader = tiny.process("web").pid
    assert leader is not None

    os.kill(leader, signal.SIGKILL)

    assert tiny.eventually(lambda: not tiny.runs(grandchild))


def test_a_process_that_does_not_stay_up_is_named_with_its_reason_and_the_end_of_its_log(tiny, port):
    broken = [sys.executable, "-c", "print('no such database'); raise SystemExit(7)"]
    tiny.of(labeling={"port": port, "command": broken})

    with pytest.raises(StackError) as raised:
        tiny.up()

    message = str(raised.value)
    assert "labeling does not stay up: ended with exit code 7" in message
    assert str(tiny.home.log("labeling")) in message
    assert "no such database" in message


def test_a_program_that_is_not_there_is_named(tiny):
    tiny.of(web={"command": ["/no/such/program"]})

    with pytest.raises(StackError, match=r"web does not stay up: could not be started: .*'/no/such/program'"):
        tiny.up()


def test_a_process_waits_for_the_work_it_depends_on(tiny, port, tmp_path):
    done = tmp_path / "done"
    prepare = [sys.executable, "-c", f"import time, pathlib; time.sleep(1); pathlib.Path({str(done)!r}).touch()"]
    exists = f"pathlib.Path({str(done)!r}).exists()"
    needs = [sys.executable, "-c", f"import pathlib, sys, time; sys.exit(9) if not {exists} else time.sleep(600)"]

    tiny.of(prepare={"command": prepare, "once": True}, web={"command": needs, "after": ["prepare"]}).up()

    assert tiny.process("prepare").state == "done"
    assert (tiny.process("web").state, tiny.process("web").restarts) == ("running", 0)


def test_down_leaves_nothing_running_not_even_what_ignores_sigterm(tiny, port, tmp_path):
    pid_file = tmp_path / "grandchild"
    tiny.of(
        web={"port": port, "command": [*tiny.server, "with-child", str(pid_file)]},
        stubborn={"port": port + 1, "command": [*tiny.server, "ignore-sigterm"]},
    ).up()
    pids = [*tiny.pids(), int(pid_file.read_text())]

    stopped = launch.down(tiny.home)

    assert stopped
    assert [pid for pid in pids if tiny.runs(pid)] == []
    assert not accepts(port)
    assert {process.state for process in stack.read(tiny.home).processes} == {"stopped"}


def test_down_without_a_stack_says_so_and_creates_nothing(tmp_path):
    home = Home(path=tmp_path / "none")

    assert launch.down(home) is False
    assert not home.path.exists()


def test_when_the_supervisor_is_killed_its_processes_die_with_it(tiny, port):
    running = tiny.of(web={"port": port, "command": tiny.server}).up()
    web = tiny.process("web").pid
    assert web is not None

    os.kill(running.supervisor.pid, signal.SIGKILL)

    assert tiny.eventually(lambda: not tiny.runs(web))


def test_up_after_a_killed_supervisor_clears_what_it_left_and_starts_again(tiny, port, tmp_path):
    pid_file = tmp_path / "grandchild"
    tiny.of(web={"port": port, "command": [*tiny.server, "with-child", str(pid_file)]})
    first = tiny.up()
    grandchild = int(pid_file.read_text())
    os.kill(first.supervisor.pid, signal.SIGKILL)
    assert tiny.eventually(lambda: not tiny.home.is_supervised())

    second = tiny.up()

    assert second.supervisor != first.supervisor
    assert not tiny.runs(grandchild)
    assert accepts(port)


def test_a_stale_record_that_names_the_id_of_another_process_harms_nobody(tiny, port):
    tiny.of(web={"port": port, "command": tiny.server}).up()
    launch.down(tiny.home)
    last = stack.read(tiny.home)
    mine = replace(children.identity(os.getpid()), ticks=1)  # our id, but a process that ended long ago
    process = replace(last.processes[0], pid=mine.pid, ticks=mine.ticks)
    stack.write(tiny.home, replace(last, supervisor=mine, processes=(process,)))

    again = tiny.up()

    assert again.supervisor.pid != os.getpid()
    assert accepts(port)


def test_a_stack_whose_record_was_lost_is_found_by_up_and_by_down(tiny, port):
    tiny.of(web={"port": port, "command": tiny.server}).up()
    tiny.home.stack_file.unlink()

    again = tiny.up()
    tiny.home.stack_file.write_text("{")
    stopped = launch.down(tiny.home)

    assert again.endpoints == {"web": f"127.0.0.1:{port}"}
    assert stopped
    assert not accepts(port)


def test_a_state_that_can_not_be_written_ends_nothing_and_is_written_when_it_can_be(tiny, port):
    tiny.of(web={"port": port, "command": tiny.server}).up()
    first = tiny.process("web").pid
    tiny.home.stack_file.unlink()
    tiny.home.stack_file.mkdir()  # as a full disk: nothing can be written here

    os.kill(first, signal.SIGKILL)
    came_back = tiny.eventually(lambda: not tiny.runs(first)) and tiny.eventually(lambda: accepts(port))
    tiny.home.stack_file.rmdir()

    assert came_back
    assert tiny.eventually(lambda: stack.read(tiny.home) is not None)
    assert tiny.process("web").restarts == 1


def test_down_stops_what_an_interrupted_up_has_only_just_started(tiny, port):
    tiny.of(web={"port": port, "command": tiny.server})
    interrupted = f"""
import os, subprocess
from pathlib import Path
from relearn_local import launch
from relearn_local.stack import Home
from relearn_local.supervisor import Process, Supervisor
start = subprocess.Popen
def start_and_die(*a, **k):
    start(*a, **k)
    os._exit(1)  # Ctrl-C in the moment after the supervisor was started
subprocess.Popen = start_and_die
home = Home(path=Path({str(tiny.home.path)!r}))
launch.up(home, on_progress=print, say=print, supervisor={tuple(tiny.supervisor)!r})
"""
    subprocess.run([sys.executable, "-c", interrupted], check=False)

    stopped = launch.down(tiny.home)

    assert stopped
    assert not tiny.home.is_supervised()
    assert not accepts(port)


def test_a_port_that_another_program_took_is_named_soon(tiny, port, monkeypatch):
    async def reason() -> str:
        process = Process(
            name="web", command=lambda: tiny.server, log=tiny.plan, folder=tiny.plan.parent, environment={}, port=port
        )
        supervisor = Supervisor([process], on_change=lambda reports: None)
        running = asyncio.create_task(supervisor.run())
        async with asyncio.timeout(60):
            while supervisor.reports[0].state != "broken":
                await asyncio.sleep(0.05)
        supervisor.stop()
        await running
        return supervisor.reports[0].reason

    monkeypatch.setattr("relearn_local.supervisor.PORT_RELEASE_S", 0.1)
    monkeypatch.setattr("relearn_local.supervisor.QUICK_FAILURES", 2)
    monkeypatch.setattr("relearn_local.supervisor.QUICK_S", 0.0)  # slow to fail: what was never ready counts too
    with socket.create_server(("127.0.0.1", port)):
        assert f"port {port} is used by another program" in asyncio.run(reason())


def test_reset_deletes_what_the_stack_kept(tiny, port):
    tiny.of(web={"port": port, "command": tiny.server}).up()
    pids = tiny.pids()
    (tiny.home.path / ".secrets.json.4711").touch()  # of a write that was interrupted

    launch.reset(tiny.home)

    assert {path.name for path in tiny.home.path.iterdir()} == {"command.lock", "supervisor.lock"}
    assert [pid for pid in pids if tiny.runs(pid)] == []


def test_reset_stops_a_running_demo_before_it_deletes_its_stack(tiny, port):
    inside = replace(tiny, home=tiny.home.of_the_demo).of(web={"port": port, "command": tiny.server})
    inside.up()
    pids = inside.pids()

    launch.reset(tiny.home)

    assert [pid for pid in pids if tiny.runs(pid)] == []
    assert not inside.home.path.exists()
