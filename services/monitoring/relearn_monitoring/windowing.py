"""Windows are closed: kept, and told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from relearn.monitoring.v1.events_pb2 import WindowClosed
from relearn_monitoring import metrics, wire
from relearn_monitoring.domain import windows
from relearn_monitoring.domain.drift import DriftScore
from relearn_monitoring.domain.quality import quality
from relearn_monitoring.domain.windows import ClosedWindow, OpenWindow
from relearn_monitoring.store import Transaction


async def close_window(
    tx: Transaction, window: OpenWindow, *, scores: Sequence[DriftScore], causes: Sequence[str], now: datetime
) -> ClosedWindow:
    """Keeps and tells a window that takes no more predictions; the next prediction opens another one.

    Args:
        scores: how far it drifted; none when nothing can or need be said.
        causes: ids of the events that ended it, the one of its last prediction without others.
    """
    missing = await tx.monitored.missing(window.project_id)
    closed = windows.closed(window, scores=tuple(scores), missing=missing, now=now)
    await tx.windows.add_closed(closed)
    await tx.windows.drop_open(window.model_version_id)
    (audits,) = await tx.audits.of_windows([closed])
    told = WindowClosed(window=wire.window(closed, audited=quality(audits)), project_id=window.project_id)
    await tx.outbox.add(told, causes=causes or (window.last_event_id,), ids=[closed.window_id])
    tx.after_commit(metrics.WINDOWS.inc)
    return closed
