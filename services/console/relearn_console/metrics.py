"""Every metric that the console emits. An id is never a label."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

_SHORT = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)

CALLS = Histogram(
    "relearn_console_call_duration_seconds",
    "Time to answer a call of a browser; of a stream until its first message may come",
    ["method", "code"],
    buckets=_SHORT,
)
SIGN_INS = Counter("relearn_console_sign_ins_total", "Attempts to begin a session", ["outcome"])
