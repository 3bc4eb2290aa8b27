"""The detached process behind `relearn up`: `python -m relearn_local.supervise HOME`.

It holds the stack's lock for as long as it lives, so there is never a second one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from relearn_local import children, local, lock, logs, stack
from relearn_local.ports import HOST, PortClaims
from relearn_local.stack import Home, ProcessReport, Stack
from relearn_local.supervisor import Process, Supervisor

log = logging.getLogger(__name__)

ALREADY_RUNNING = 3  # exit code
TIDY_S = 5.0

# What a stack consists of: its home and a fresh set of claims in, the ports by name and the processes out.
Plan = Callable[[Home, PortClaims, Mapping[str, str]], tuple[Mapping[str, int], Sequence[Process]]]


def relearn(home: Home, claims: PortClaims, previous: Mapping[str, str]) -> tuple[Mapping[str, int], Sequence[Process]]:
    """The plan of Relearn itself."""
    port = local.ports(claims, previous, os.environ)
    return port, local.processes(home, port=port, secret=local.secrets(home))


def supervise(home: Home, plan: Plan) -> int:
    """Runs a stack until SIGTERM or SIGINT; returns the exit code of the process."""
    home.make()
    try:
        with lock.hold(home.lock_file):
            _clean_up_after_a_killed_one(home)
            asyncio.run(_run(home, plan))
    except lock.Held:
        log.info("this stack has a supervisor already")
        return ALREADY_RUNNING
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
        try:
            stack.write(home, now)
        except OSError as error:  # a full disk must not end what still runs; it is written again by and by
            log.warning("%s can't be written: %s", home.stack_file, error)

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
    tidier = asyncio.create_task(_tidy([process.log for process in processes], lambda: publish(supervisor.reports)))
    try:
        await supervisor.run()
    finally:
        tidier.cancel()
        with suppress(asyncio.CancelledError):
            await tidier
        claims.release()


async def _tidy(paths: Sequence[Path], publish: Callable[[], None]) -> None:
    """Keeps logs short, and `stack.json` there even when a write failed or somebody deleted it."""
    while True:
        await asyncio.sleep(TIDY_S)
        publish()
        for path in paths:
            try:
                logs.cut(path)
            except OSError as error:
                log.warning("%s can't be cut: %s", path, error)


def _clean_up_after_a_killed_one(home: Home) -> None:
    last = stack.read(home)
    if killed := children.kill_leftovers(last.recorded() if last else [], mark=str(home.path)):
        log.warning("killed what an earlier supervisor left behind: %s", killed)


def main() -> None:
    """Entry point of the detached process."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the terminal it was started from may close
    sys.exit(supervise(Home(path=Path(sys.argv[1])), relearn))


if __name__ == "__main__":
    main()
