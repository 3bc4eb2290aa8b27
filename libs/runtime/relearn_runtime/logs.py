"""Logs: one JSON object a line on stdout; what is bound to a task is in every line it logs.

A message is a constant event name; fields come as `extra`. ERROR means that a person must act.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from relearn_runtime import telemetry

_bound: ContextVar[dict[str, Any]] = ContextVar("relearn_log_fields", default={})  # noqa: B039 - never mutated
_OF_A_RECORD = set(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {"message", "asctime", "taskName"}


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Puts fields into every line logged by the block and by what it awaits."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its newline."""
        created = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": created.replace("+00:00", "Z"),
            "level": record.levelname,
            "service": self._service,
            "event": record.getMessage(),
            "logger": record.name,
        }
        if trace_id := telemetry.current_trace_id():
            line["trace_id"] = trace_id
        line |= _bound.get()
        line |= {name: value for name, value in vars(record).items() if name not in _OF_A_RECORD}
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure(service: str, level: str) -> None:
    """Sends every log of this process to stdout, as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("alembic", "sqlalchemy.engine"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


class Seldom:
    """Lets a repeated message through once in a while, and says how many it held back."""

    def __init__(self, every_s: float = 30.0) -> None:
        self._every_s = every_s
        self._last: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def allows(self, name: str) -> bool:
        """Whether to log `name` now."""
        now = time.monotonic()
        if now - self._last.get(name, -self._every_s) < self._every_s:
            self._held[name] = self._held.get(name, 0) + 1
            return False
        self._last[name] = now
        return True

    def held(self, name: str) -> int:
        """How many were held back since the last one that was let through."""
        return self._held.pop(name, 0)


_waits = Seldom()


def say_waiting(log: logging.Logger, event: str, error: BaseException, *, away: bool) -> None:
    """Logs once in a while that something waits: a line where a dependency is away, a traceback where it is a bug."""
    name = f"{event} {type(error).__name__}"
    if not _waits.allows(name):
        return
    fields = {"error": repr(error), "held_back": _waits.held(name)}
    if away:
        log.warning(event, extra=fields)
    else:
        log.error(event, extra=fields, exc_info=error)
