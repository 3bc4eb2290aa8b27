"""The detached process behind `relearn up`: `python -m relearn_local.supervise HOME`.

It holds the stack's lock for as long as it lives, so there is never a second one.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from relearn_local import children, local, logs, stack
from relearn_local.ports import HOST, PortClaims
from relearn_local.stack import Home, ProcessReport, Stack
from relearn_local.supervisor import Process, Supervisor

log = logging.getLogger(__name__)

ALREADY_RUNNING = 3  # exit code
LOG_CHECK_S = 30.0

# What a stack consists of: its home and a fresh set of claims in, the ports by name and the processes out.
Plan = Callable[[Home, PortClaims, Mapping[str, str]], tuple[Mapping[str, int], Sequence[Process]]]


def relearn(home: Home, claims: PortClaims, previous: Mapping[str, str]) -> tuple[Mapping[str, int], Sequence[Process]]:
    """The plan of Relearn itself."""
    port = local.ports(claims, previous)
    return port, local.processes(home, port=port, secret=local.secrets(home))


def supervise(home: Home, plan: Plan) -> int:
    """Runs a stack until SIGTERM or SIGINT; returns the exit code of the process."""
    home.make()
    with (home.path / "supervisor.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("this stack has a supervisor already")
            return ALREADY_RUNNING
        _clean_up_after_a_killed_one(home)
        asyncio.run(_run(home, plan))
    return 0


async def _run(home: Home, plan: Plan) -> None:
    claims = PortClaims(avoid=local.DEFAULT_PORTS.values())
    last = stack.read(home)
    port, processes = plan(home, claims, last.endpoints if last else {})
    endpoints = {name: f"{HOST}:{number}" for name, number in port.items()}
    me = children.identity(os.getpid())
    stopping = asyncio.Event()

    def publish(reports: tuple[ProcessReport, ...]) -> None:
        now = Stack(
            home=str(home.path),
            supervisor=me,
            endpoints=endpoints,
            processes=reports,
            stopping=stopping.is_set(),
        )
        stack.write(home, now)

    for process in processes:
        logs.begin(process.log)
    supervisor = Supervisor(processes, on_change=publish)
    publish(supervisor.reports)

    def stop() -> None:
        stopping.set()
        publish(supervisor.reports)
        supervisor.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    cutter = asyncio.create_task(_cut_logs([process.log for process in processes]))
    try:
        await supervisor.run()
    finally:
        cutter.cancel()
        with suppress(asyncio.CancelledError):
            await cutter
        claims.release()


async def _cut_logs(paths: Sequence[Path]) -> None:
    while True:
        await asyncio.sleep(LOG_CHECK_S)
        for path in paths:
            logs.cut(path)


def _clean_up_after_a_killed_one(home: Home) -> None:
    last = stack.read(home)
    recorded = [process.identity for process in last.processes if process.identity] if last else []
    if killed := children.kill_leftovers(recorded, mark=str(home.path)):
        log.warning("killed what an earlier supervisor left behind: %s", killed)


def main() -> None:
    """Entry point of the detached process."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the terminal it was started from may close
    sys.exit(supervise(Home(path=Path(sys.argv[1])), relearn))


if __name__ == "__main__":
    main()
