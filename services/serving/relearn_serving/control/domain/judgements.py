"""What the gate's word means for a route."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from relearn_serving.control.domain import route as moves
from relearn_serving.control.domain.canary import RolloutPolicy
from relearn_serving.control.domain.reports import Acknowledgement
from relearn_serving.control.domain.route import Change, Phase, Route

BEFORE_SHADOW = 1
BEFORE_CANARY = 2


class Verdict(Enum):
    PASSED = "passed"
    REJECTED = "rejected"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The gate's word about one version."""

    model_version_id: str
    step: int
    verdict: Verdict
    reason: str
    person: str = ""  # who promoted it by hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What follows: the route as it is kept now, and the change if it moved."""

    route: Route
    change: Change | None = None
    ignored: str = ""  # why nothing follows, where that needs saying


def hear(route: Route, judgement: Judgement, *, policy: RolloutPolicy, paused: bool, now: datetime) -> Heard:
    """Applies a judgement. A paused project remembers it; `next_move` goes on after that."""
    version = judgement.model_version_id
    if judgement.verdict is Verdict.UNDECIDED:
        return Heard(route=route)
    if judgement.verdict is Verdict.REJECTED:
        return _rejected(route, judgement, now)
    if version in route.barred and not judgement.person:
        return Heard(route=route, ignored=f"{version} is barred by a rollback")
    if version == route.champion:
        return Heard(route=route, ignored=f"{version} serves already")
    if judgement.person:
        return _by_hand(route, judgement, policy, now)
    if judgement.step == BEFORE_SHADOW:
        if version == route.challenger:
            return Heard(route=route)
        remembered = replace(route, waiting=version)
    elif version == route.challenger:
        remembered = replace(route, approved=True)
    else:
        return Heard(route=route, ignored=f"{version} passed step 2, but is not the challenger")
    change = None if paused else next_move(remembered, policy=policy, reason=judgement.reason, now=now)
    return Heard(route=remembered if change is None else change.route, change=change)


def next_move(route: Route, *, policy: RolloutPolicy, reason: str, now: datetime) -> Change | None:
    """What an active project does next by itself, apart from what evidence decides; None for nothing."""
    if route.waiting and not route.champion:
        return moves.first(route, route.waiting, reason=reason, at=now)
    if route.waiting and not route.challenger:
        return moves.start_shadow(route, route.waiting, reason=reason, at=now)
    if route.phase is Phase.SHADOW and route.approved:
        return moves.start_canary(route, weight=policy.canary_percent[0], reason=reason, at=now)
    return None


def harmed(route: Route, model_version_id: str, *, reason: str, now: datetime) -> Change | None:
    """A confirmed alert undoes the rollout of the version it names; the champion's own must not stop its cure."""
    if not route.challenger or model_version_id != route.challenger:
        return None
    return moves.undo(route, reason=reason, at=now)


def unloadable(route: Route, acknowledgement: Acknowledgement, *, now: datetime) -> Change | None:
    """A challenger that a gateway can never load is out; a champion that it cannot load is for people to see."""
    about_this = acknowledgement.hopeless and acknowledgement.problem_revision == route.revision
    if not route.challenger or not about_this:
        return None
    return moves.undo(route, reason=f"a gateway cannot load it: {acknowledgement.problem}", at=now)


def _rejected(route: Route, judgement: Judgement, now: datetime) -> Heard:
    version = judgement.model_version_id
    if version == route.challenger:
        step = "gate step 1" if judgement.step == BEFORE_SHADOW else "gate step 2"
        change = moves.undo(route, reason=f"{step}: {judgement.reason}", at=now)
        return Heard(route=change.route, change=change)
    if version == route.waiting:
        return Heard(route=replace(route, waiting=""))
    return Heard(route=route)


def _by_hand(route: Route, judgement: Judgement, policy: RolloutPolicy, now: datetime) -> Heard:
    """A person's word starts a canary even in a paused project; its steps then wait for the resume."""
    version, person = judgement.model_version_id, judgement.person
    if not route.champion:
        change = moves.first(route, version, reason=judgement.reason, at=now, person=person)
    elif version == route.challenger and route.phase is Phase.CANARY:
        return Heard(route=route, ignored=f"{version} is in canary already")
    else:
        weight = policy.canary_percent[0]
        change = moves.promote(route, version, weight=weight, reason=judgement.reason, at=now, person=person)
    return Heard(route=change.route, change=change)
