"""Times of the wire as aware UTC datetimes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp


def when(timestamp: Timestamp) -> datetime:
    """The time as an aware datetime, UTC, to the microsecond."""
    return datetime.fromtimestamp(timestamp.seconds, UTC) + timedelta(microseconds=timestamp.nanos // 1000)


def maybe_when(timestamp: Timestamp) -> datetime | None:
    """The same; None where the field was never set."""
    return when(timestamp) if timestamp.seconds or timestamp.nanos else None
