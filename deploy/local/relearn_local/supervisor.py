"""Keeps processes running: starts them in order, restarts what dies, reports what will not stay up, stops all."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from relearn_local import children
from relearn_local.ports import HOST, accepts, is_free
from relearn_local.stack import ProcessReport, State

log = logging.getLogger(__name__)

QUICK_S = 10.0  # a process that ends sooner, or was never ready, has failed to start
QUICK_FAILURES = 5  # so many in a row and it is reported as broken
LONGEST_PAUSE_S = 15.0
PORT_RELEASE_S = 5.0
ENDED: Mapping[str, None] = {"pid": None, "ticks": None, "started": None}  # in the report of what does not run


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """How one process is started, what must be ready before, and how it is stopped.

    Attributes:
        command: called at each start.
        prepare: called before each start, in a thread; raises with a message a person can act on.
        port: where it listens once it is ready; must be free before a start. None: ready at once.
        after: names of processes that must be ready first.
        once: ends by itself with exit code 0 when its work is done, which is when it counts as ready.
        serves_health: answers grpc.health.v1 on its port.
    """

    name: str
    command: Callable[[], Sequence[str]]
    log: Path
    folder: Path
    environment: Mapping[str, str]
    port: int | None = None
    prepare: Callable[[], None] | None = None
    after: tuple[str, ...] = ()
    once: bool = False
    serves_health: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 15.0


@dataclass(slots=True)
class _Kept:
    """A process and what is going on with it."""

    process: Process
    report: ProcessReport
    ready: asyncio.Event = field(default_factory=asyncio.Event)  # was ready once
    child: subprocess.Popen[bytes] | None = None  # not reaped yet; None when nothing runs


class Supervisor:
    """Runs a set of processes until `stop` is called."""

    def __init__(self, processes: Sequence[Process], *, on_change: Callable[[tuple[ProcessReport, ...]], None]) -> None:
        """`on_change` gets all reports whenever one of them changed; an error of it would end the supervisor."""
        self._kept = {process.name: _Kept(process, _first_report(process)) for process in processes}
        self._on_change = on_change
        self._stopping = asyncio.Event()
        self._threads = ThreadPoolExecutor(max_workers=2 * len(processes) + 1, thread_name_prefix="supervisor")

    @property
    def reports(self) -> tuple[ProcessReport, ...]:
        """All processes as they are now."""
        return tuple(kept.report for kept in self._kept.values())

    def stop(self) -> None:
        """Makes `run` stop all processes and return."""
        self._stopping.set()

    async def run(self) -> None:
        """Starts everything and keeps it running until `stop`; returns when nothing runs any more."""
        keepers = [asyncio.create_task(self._keep(kept), name=name) for name, kept in self._kept.items()]
        stopping = asyncio.create_task(self._stopping.wait())
        done, _ = await asyncio.wait([stopping, *keepers], return_when=asyncio.FIRST_COMPLETED)
        for keeper in [stopping, *keepers]:
            keeper.cancel()
        await asyncio.gather(stopping, *keepers, return_exceptions=True)
        await self._stop_all()
        self._threads.shutdown()
        for task in done:
            task.result()  # a keeper only ends with an error of ours

    async def _keep(self, kept: _Kept) -> None:
        for name in kept.process.after:
            await self._kept[name].ready.wait()
        quick = 0
        while True:
            begun = time.monotonic()
            reason = await self._run_once(kept)
            if kept.process.once and not reason:
                self._set(kept, state="done", **ENDED)
                kept.ready.set()
                await asyncio.Event().wait()  # done; nothing to keep
            failed = kept.report.state != "running" or time.monotonic() - begun < QUICK_S
            quick = quick + 1 if failed else 0
            log.warning("%s: %s", kept.process.name, reason)
            state: State = "broken" if quick >= QUICK_FAILURES else "restarting"
            self._set(kept, state=state, **ENDED, reason=reason, restarts=kept.report.restarts + 1)
            await asyncio.sleep(min(0.25 * 2**quick, LONGEST_PAUSE_S))

    async def _run_once(self, kept: _Kept) -> str:
        """Starts the process and waits for its end; returns why it ended, or could not be started."""
        process, loop = kept.process, asyncio.get_running_loop()
        try:
            if process.prepare is not None:
                await loop.run_in_executor(self._threads, process.prepare)
            command = await loop.run_in_executor(self._threads, process.command)
            await _wait_for_port(process)
            child = children.start(command, log=process.log, environment=process.environment, folder=process.folder)
        except Exception as error:  # whatever it is, a person reads it in `relearn status`
            return f"could not be started: {error}"
        kept.child = child
        self._set_started(kept, child.pid)
        ready = asyncio.create_task(self._watch_ready(kept))
        try:
            await loop.run_in_executor(self._threads, children.wait_until_ended, child)
        finally:
            ready.cancel()
        kept.child = None
        code = children.finish(child)  # with its grandchildren: they must not meet their parent's successor
        if code == 0 and process.once:
            return ""
        return _how_it_ended(code)

    async def _watch_ready(self, kept: _Kept) -> None:
        if kept.process.once:
            return
        while kept.process.port is not None and not accepts(kept.process.port):
            await asyncio.sleep(0.1)
        self._set(kept, state="running")
        kept.ready.set()

    async def _stop_all(self) -> None:
        """What depends on others stops first; each level at once."""
        loop = asyncio.get_running_loop()
        for level in (
            [kept for kept in self._kept.values() if kept.process.after],
            [kept for kept in self._kept.values() if not kept.process.after],
        ):
            await asyncio.gather(*(loop.run_in_executor(self._threads, _stop, kept) for kept in level))
            for kept in level:
                self._set(kept, state="stopped", **ENDED)

    def _set_started(self, kept: _Kept, pid: int) -> None:
        ticks = children.identity(pid).ticks  # of a zombie too, should it have ended already
        self._set(kept, state="starting", pid=pid, ticks=ticks, started=time.time())

    def _set(self, kept: _Kept, **changes: object) -> None:
        kept.report = replace(kept.report, **changes)  # type: ignore[arg-type]  # names are those of the report
        self._on_change(self.reports)


class PortBusy(Exception):
    """Another program listens where a process of ours should."""


async def _wait_for_port(process: Process) -> None:
    """After a kill the kernel may accept connections on the port for a moment; a probe would take that for ready."""
    if process.port is None:
        return
    give_up = time.monotonic() + PORT_RELEASE_S
    while not is_free(process.port):
        if time.monotonic() > give_up:
            raise PortBusy(f"port {process.port} is used by another program; `relearn down` and up again picks others")
        await asyncio.sleep(0.1)


def _first_report(process: Process) -> ProcessReport:
    address = None if process.port is None else f"{HOST}:{process.port}"
    return ProcessReport(
        name=process.name, state="waiting", address=address, serves_health=process.serves_health, log=str(process.log)
    )


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by {signal.Signals(-code).name}"


def _stop(kept: _Kept) -> None:
    if kept.child is not None:  # else it has ended, and its id may be anybody's
        children.stop(kept.child, gently=kept.process.stop_signal, grace_s=kept.process.grace_s)
