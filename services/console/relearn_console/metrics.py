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
MEDIA = Counter("relearn_console_media_answers_total", "Answers to links to media", ["status"])
RENDERS = Histogram(
    "relearn_console_render_duration_seconds",
    "Time to make what browsers show of one sample",
    ["outcome"],
    buckets=(0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
)
SIGN_INS = Counter("relearn_console_sign_ins_total", "Attempts to begin a session", ["outcome"])
