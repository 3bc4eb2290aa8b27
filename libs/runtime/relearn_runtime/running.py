"""`python -m relearn_<service>`: settings, logs, signals, and exit codes that a supervisor understands."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol, TypeVar

from pydantic import ValidationError

from relearn_runtime import logs, telemetry
from relearn_runtime.metrics import AddressTaken
from relearn_runtime.seams import NewId, Now, new_id, utc_now
from relearn_runtime.service import Service
from relearn_runtime.settings import ProcessConfig
from relearn_runtime.tokens import TokenFileError

C = TypeVar("C", bound=ProcessConfig)
C_contra = TypeVar("C_contra", bound=ProcessConfig, contravariant=True)
_FAILED, _BAD_SETTING, _CANNOT_START = 1, 2, 3
log = logging.getLogger(__name__)


class NotStarted(Exception):
    """The operating system refused something that the start needs."""


class Build(Protocol[C_contra]):
    """A service's composition root, `app.build`; it is called inside the event loop."""

    def __call__(self, config: C_contra, *, new_id: NewId, now: Now) -> Service: ...


def run(name: str, config: type[C], build: Build[C]) -> None:
    """Runs a service until SIGTERM or SIGINT, then stops it cleanly.

    Raises:
        SystemExit: 2 for a bad setting (named on stderr), 3 when it could not start, 1 when it failed.
    """
    settings = _settings(config)
    logs.configure(name, settings.log_level)
    telemetry.configure(name, settings.otlp_endpoint)
    try:
        _run_in_loop(_serve(lambda: build(settings, new_id=new_id, now=utc_now)))
    except (AddressTaken, TokenFileError, NotStarted) as error:
        log.critical("can't start", extra={"error": str(error)})
        raise SystemExit(_CANNOT_START) from None
    except Exception as error:
        log.critical("ended by an error", exc_info=error)
        raise SystemExit(_FAILED) from None
    finally:
        telemetry.shutdown()


def _settings(config: type[C]) -> C:
    try:
        return config()  # type: ignore[call-arg]  # pydantic reads the environment
    except ValidationError as error:
        prefix = str(config.model_config.get("env_prefix") or "")
        lines = [f"  {prefix}{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        sys.stderr.write("Settings are missing or wrong (environment variables):\n" + "\n".join(lines) + "\n")
        raise SystemExit(_BAD_SETTING) from None


async def _serve(make: Callable[[], Service]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with _starts():
        service = make()
    starting = asyncio.create_task(service.start())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            with _starts():
                starting.result()
            failing = asyncio.create_task(service.fails())
            await asyncio.wait([failing, stopping], return_when=asyncio.FIRST_COMPLETED)
            if failing.done():
                failing.result()
            failing.cancel()
    finally:
        for task in (starting, stopping):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await starting
        await service.stop()


@contextlib.contextmanager
def _starts() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotStarted(str(error)) from error


def _run_in_loop(work: Awaitable[None]) -> None:
    try:
        import uvloop
    except ImportError:  # no wheel for this platform
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(work)  # type: ignore[arg-type]
