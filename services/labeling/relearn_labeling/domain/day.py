"""The hard cap of answers in a UTC day. A live lease reserves an answer, so nobody's work is refused for the cap."""

from __future__ import annotations

from datetime import UTC, date, datetime

from relearn_labeling.domain.errors import AnswersPerDay


def utc_day(now: datetime) -> date:
    """The UTC day that an answer given now counts for."""
    return now.astimezone(UTC).date()


def check_lease(*, answers: int, live_leases: int, cap: int, project_id: str) -> None:
    """Whether one more lease may be handed out today.

    Raises:
        AnswersPerDay: the day's answers are given, or promised to the leases there are.
    """
    if answers + live_leases >= cap:
        raise _exhausted(answers=answers, live_leases=live_leases, cap=cap, project_id=project_id)


def check_answer(*, answers: int, cap: int, project_id: str) -> None:
    """Whether one more answer may be given today; refused only when the cap was lowered after the lease.

    Raises:
        AnswersPerDay: the day's answers are given.
    """
    if answers >= cap:
        raise _exhausted(answers=answers, live_leases=0, cap=cap, project_id=project_id)


def _exhausted(*, answers: int, live_leases: int, cap: int, project_id: str) -> AnswersPerDay:
    promised = f", {live_leases} more are under lease" if live_leases else ""
    message = (
        f"project {project_id!r} has {answers} of {cap} answers of this UTC day{promised}; tasks wait until midnight"
    )
    return AnswersPerDay(message, project_id=project_id, answers_per_day=str(cap))
