"""Times on the wire."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(time: datetime) -> Timestamp:
    """Of an aware datetime."""
    message = Timestamp()
    message.FromDatetime(time)
    return message


def moment(time: Timestamp) -> datetime:
    """The aware datetime in UTC."""
    return time.ToDatetime(tzinfo=UTC)


def moment_if_set(time: Timestamp) -> datetime | None:
    """The same; None for a timestamp nobody set."""
    return moment(time) if time.seconds or time.nanos else None
