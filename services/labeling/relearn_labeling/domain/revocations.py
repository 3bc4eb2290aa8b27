"""An annotator turned out bad: none of their answers counts any more, and what rests on them alone is asked again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from relearn_labeling.domain.answers import decide
from relearn_labeling.domain.facts import Fact
from relearn_labeling.domain.regions import LabelSet
from relearn_labeling.domain.reviews import again
from relearn_labeling.domain.tasks import LabelTask, Policy, State
from relearn_labeling.domain.truth.skills import Crowd
from relearn_labeling.domain.withdrawals import reopened, withdraw, without_fallen_label


class Became(StrEnum):
    """What a revocation makes of a task."""

    UNTOUCHED = "untouched"
    REOPENED = "reopened"
    DECIDED = "decided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Somebody took back what an annotator answered in a project.

    Attributes:
        since: only answers from then on.
        created_at: only answers before then: what is answered while it goes on is another matter.
        answers: that no longer count, so far; likewise `reopened` and `decided`, in tasks.
        done: whether no answer is left.
    """

    id: str
    project_id: str
    annotator: str
    reason: str
    since: datetime
    person: str
    created_at: datetime
    answers: int = 0
    reopened: int = 0
    decided: int = 0
    done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """A task without the answers of a revoked annotator.

    Attributes:
        answers: that counted and no longer do.
    """

    task: LabelTask
    facts: tuple[Fact, ...]
    answers: int
    became: Became


def revoke(
    task: LabelTask,
    revocation: Revocation,
    *,
    label_set: LabelSet,
    policy: Policy,
    crowd: Crowd | None = None,
    label_id: str,
    now: datetime,
) -> Revoked:
    """The task without the annotator's answers. A second time it changes nothing.

    Where other answers remain they decide a settled task anew, with fewer than were wanted; where none does, or they
    agree on nothing, it is open again. A label that none of the remaining answers gave holds no longer. What a reviewer
    settled goes on, without the votes of the annotator.

    Args:
        label_set: of the task's version.
        label_id: id of the label, should a new one be accepted.
    """
    theirs = [
        one
        for one in (*task.withdrawn, *task.annotations)
        if one.annotator == revocation.annotator
        and not one.revoked
        and revocation.since <= one.created_at < revocation.created_at
    ]
    counted = [one for one in theirs if one in task.annotations]
    without = withdraw(task, [replace(one, revoked=True) for one in theirs], now=now)
    without = replace(
        without, leases=tuple(one for one in without.leases if not theirs or one.annotator != revocation.annotator)
    )
    if not counted:
        return Revoked(task=without, facts=(), answers=0, became=Became.UNTOUCHED)
    if task.state is State.OPEN:
        without, facts = without_fallen_label(without)
        return Revoked(task=without, facts=facts, answers=len(counted), became=Became.UNTOUCHED)
    decided, facts = decide(without, label_set=label_set, policy=policy, crowd=crowd, label_id=label_id, now=now)
    if decided.state is State.ACCEPTED:
        return Revoked(task=decided, facts=facts, answers=len(counted), became=Became.DECIDED)
    without, fallen = without_fallen_label(without)
    request = again(without, id=revocation.id, reason="answers were revoked", person=revocation.person, now=now)
    open_again, opened = reopened(without, request, now=now)
    return Revoked(task=open_again, facts=(*fallen, *opened), answers=len(counted), became=Became.REOPENED)
