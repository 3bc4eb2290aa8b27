"""What a report says of a stretch of time, and how far it looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from relearn_runtime.errors import InvalidInput

MOST_TASKS = 500
"""Tasks whose regions are compared for a report, the newest first; single classes are counted in all tasks."""
_LOOK_BACK = timedelta(days=30)
_MOST_BUCKETS = 60
_LENGTHS = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 7 * 24, 30 * 24, 365 * 24))


def begins(since: datetime | None, now: datetime) -> datetime:
    """Where a report begins: as asked, else at the midnight (UTC) 30 days ago.

    Raises:
        InvalidInput: in the future.
    """
    if since is None:
        return (now - _LOOK_BACK).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if since > now:
        raise InvalidInput(f"a report can't begin in the future: since is {since.isoformat()}")
    return since


def bucket_length(since: datetime, now: datetime) -> timedelta:
    """The shortest of an hour, 6 hours, a day, a week, 30 days and a year that gives 60 buckets or fewer."""
    return next((length for length in _LENGTHS if (now - since) / length <= _MOST_BUCKETS), _LENGTHS[-1])
