"""What the gate's word means for a route."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from relearn_serving.control.domain import route as moves
from relearn_serving.control.domain.canary import RolloutPolicy
from relearn_serving.control.domain.reports import Acknowledgement
from relearn_serving.control.domain.route import Change, Pass, Phase, Route

BEFORE_SHADOW = 1
BEFORE_CANARY = 2


class Verdict(Enum):
    PASSED = "passed"
    REJECTED = "rejected"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The gate's word about one version.

    Attributes:
        champion: version it was compared with; "" for the first.
        event_id: of the event that told it.
        person: who promoted by hand or approved.
    """

    judgement_id: str
    event_id: str
    model_version_id: str
    champion: str
    step: int
    verdict: Verdict
    reason: str
    person: str = ""

    @property
    def as_pass(self) -> Pass:
        return Pass(
            model_version_id=self.model_version_id,
            reason=self.reason,
            judgement_id=self.judgement_id,
            event_id=self.event_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What follows: the route as it is kept now, and the change if it moved."""

    route: Route
    change: Change | None = None
    ignored: str = ""  # why nothing follows, where that needs saying


def hear(route: Route, judgement: Judgement, *, policy: RolloutPolicy, paused: bool, now: datetime) -> Heard:
    """Applies a judgement. A paused project remembers it; `next_move` goes on after that."""
    if judgement.verdict is Verdict.UNDECIDED:
        return Heard(route=route)
    if judgement.verdict is Verdict.REJECTED:
        return _rejected(route, judgement, now)
    if ignored := _why_ignored(route, judgement):
        return Heard(route=route, ignored=ignored)
    if judgement.person:
        return _by_hand(route, judgement, policy, now)
    if judgement.step == BEFORE_SHADOW:
        remembered = replace(route, waiting=judgement.as_pass)
    else:
        remembered = replace(route, approved=judgement.as_pass)
    change = None if paused else next_move(remembered, policy=policy, now=now)
    return Heard(route=remembered if change is None else change.route, change=change)


def next_move(route: Route, *, policy: RolloutPolicy, now: datetime) -> Change | None:
    """What an active project does next by itself, apart from what evidence decides; None for nothing."""
    if route.waiting and not route.champion:
        return moves.first(route, route.waiting, at=now)
    if route.waiting and not route.challenger:
        return moves.start_shadow(route, route.waiting, at=now)
    if route.phase is Phase.SHADOW and route.approved:
        return moves.start_canary(route, route.approved, weight=policy.canary_percent[0], at=now)
    return None


def harmed(
    route: Route, model_version_id: str, *, alert_id: str, event_id: str, reason: str, now: datetime
) -> Change | None:
    """A confirmed alert undoes the rollout of the version it names; the champion's own must not stop its cure."""
    if not route.challenger or model_version_id != route.challenger:
        return None
    return moves.undo(route, reason=reason, at=now, alert_id=alert_id, causes=(event_id,))


def unloadable(route: Route, acknowledgement: Acknowledgement, *, now: datetime) -> Change | None:
    """A challenger that a gateway can never load is out; a champion that it cannot load is for people to see."""
    about_this = acknowledgement.hopeless and acknowledgement.problem_revision == route.revision
    if not route.challenger or not about_this:
        return None
    return moves.undo(route, reason=f"a gateway cannot load it: {acknowledgement.problem}", at=now)


def _why_ignored(route: Route, judgement: Judgement) -> str:
    """Why a pass has no effect on this route; empty when it has one."""
    version = judgement.model_version_id
    if version in route.barred:
        return f"{version} is barred by a rollback"
    if version == route.champion:
        return f"{version} serves already"
    if judgement.person:
        in_canary = version == route.challenger and route.phase is Phase.CANARY
        return f"{version} is in canary already" if in_canary else ""
    if judgement.champion != route.champion:
        # the route moved while the gate judged; it will hear of that, and judge against the champion of now
        return f"{version} was compared with {judgement.champion or 'no champion'}, not with {route.champion}"
    if judgement.step == BEFORE_SHADOW:
        return f"{version} is the challenger already" if version == route.challenger else ""
    return "" if version == route.challenger else f"{version} passed step 2, but is not the challenger"


def _rejected(route: Route, judgement: Judgement, now: datetime) -> Heard:
    version = judgement.model_version_id
    if version == route.challenger:
        step = "gate step 1" if judgement.step == BEFORE_SHADOW else "gate step 2"
        change = moves.undo(
            route,
            reason=f"{step}: {judgement.reason}",
            at=now,
            judgement_id=judgement.judgement_id,
            causes=(judgement.event_id,),
        )
        return Heard(route=change.route, change=change)
    if route.waiting and version == route.waiting.model_version_id:
        return Heard(route=replace(route, waiting=None))
    return Heard(route=route)


def _by_hand(route: Route, judgement: Judgement, policy: RolloutPolicy, now: datetime) -> Heard:
    """A person's word starts a canary even in a paused project; its steps then wait for the resume."""
    passed, person = judgement.as_pass, judgement.person
    if not route.champion:
        change = moves.first(route, passed, at=now, person=person)
    else:
        change = moves.promote(route, passed, weight=policy.canary_percent[0], at=now, person=person)
    return Heard(route=change.route, change=change)
