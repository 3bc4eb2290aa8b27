"""Caps of answers in a UTC day, of a project and of each annotator. A live lease reserves an answer in both, so that
nobody's work is refused for a cap.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from relearn_labeling.domain.errors import AnswersPerAnnotator, AnswersPerDay
from relearn_labeling.domain.tasks import Policy

MOST_AT_ONCE = 256
"""More transactions than a PostgreSQL runs at once. While more answers than this are left of a day, those who count at
the same time can't exceed it together; with fewer they take turns.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What of a day's budgets is used, by a project and by one of its annotators.

    Attributes:
        live_leases: answers of the project promised to whoever holds a lease.
        own_leases: those of the annotator.
    """

    answers: int
    live_leases: int
    own_answers: int
    own_leases: int


def utc_day(now: datetime) -> date:
    """The UTC day that an answer given now counts for."""
    return now.astimezone(UTC).date()


def takes_turns(used: Used, policy: Policy) -> bool:
    """Whether so little of the project's day is left that those who want of it must come one after the other."""
    return policy.answers_per_day - used.answers - used.live_leases < MOST_AT_ONCE


def check_lease(used: Used, policy: Policy, *, project_id: str) -> None:
    """Whether one more lease may be handed out today.

    Raises:
        AnswersPerDay: the project's answers of the day are given, or promised to the leases there are.
        AnswersPerAnnotator: the annotator's are.
    """
    if used.answers + used.live_leases >= policy.answers_per_day:
        raise _project_exhausted(used, policy, project_id)
    own = policy.answers_per_annotator
    if own is not None and used.own_answers + used.own_leases >= own:
        raise _annotator_exhausted(used, own, project_id)


def check_answer(used: Used, policy: Policy, *, project_id: str) -> None:
    """Whether one more answer may be given today; refused only when a cap was lowered after the lease.

    Raises:
        AnswersPerDay: the project's answers of the day are given.
        AnswersPerAnnotator: the annotator's are.
    """
    if used.answers >= policy.answers_per_day:
        raise _project_exhausted(used, policy, project_id)
    own = policy.answers_per_annotator
    if own is not None and used.own_answers >= own:
        raise _annotator_exhausted(used, own, project_id)


def answers_left(used: Used, policy: Policy) -> int:
    """Answers that the annotator may still give today, those of leases in hand included; never below 0."""
    project = policy.answers_per_day - used.answers - (used.live_leases - used.own_leases)
    own = policy.answers_per_annotator
    return max(project if own is None else min(project, own - used.own_answers), 0)


def _project_exhausted(used: Used, policy: Policy, project_id: str) -> AnswersPerDay:
    cap = policy.answers_per_day
    promised = f", {used.live_leases} more are under lease" if used.answers < cap else ""
    message = (
        f"project {project_id!r} has {used.answers} of {cap} answers of this UTC day{promised}; "
        "tasks wait until midnight"
    )
    return AnswersPerDay(message, project_id=project_id, answers_per_day=str(cap))


def _annotator_exhausted(used: Used, cap: int, project_id: str) -> AnswersPerAnnotator:
    message = (
        f"you have given {used.own_answers} and hold {used.own_leases} of the {cap} answers that each annotator of "
        f"project {project_id!r} may give in this UTC day"
    )
    return AnswersPerAnnotator(message, project_id=project_id, answers_per_annotator=str(cap))
