"""The route of a project and every move it may make. Each move is one revision."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from relearn_runtime.errors import WrongState


class NothingToRollBackTo(WrongState):
    reason = "NOTHING_TO_ROLL_BACK_TO"


class Phase(Enum):
    SERVING = "serving"
    SHADOW = "shadow"
    CANARY = "canary"


class Outcome(Enum):
    FIRST = "first"
    STARTED = "started"
    ADVANCED = "advanced"
    FINISHED = "finished"
    UNDONE = "undone"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """The gate's pass for a version: what lets it in, at once or when it may."""

    model_version_id: str
    reason: str
    judgement_id: str
    event_id: str  # of the judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What serves a project now, and what control remembers beside it. Versions are ids, "" for none."""

    project_id: str
    revision: int = 0  # 0: nothing has served yet
    event_id: str = ""  # of the RouteChanged that tells this revision
    champion: str = ""
    challenger: str = ""
    phase: Phase = Phase.SERVING
    weight: int = 0  # percent, only in CANARY
    shards: int = 1
    approved: Pass | None = None  # of gate step 2, while a paused project keeps the challenger in the shadow
    waiting: Pass | None = None  # of gate step 1, for a version that could not start yet: the newest one
    champions: tuple[str, ...] = ()  # earlier ones, oldest first
    barred: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One revision of a route.

    Attributes:
        left: version that left the route.
        judgement_id: that it follows; empty where evidence, an alert or a rollback moved it.
        alert_id: whose confirmation undid the rollout.
        causes: ids of the events it came from: what let it happen, and the change before it.
    """

    route: Route
    outcome: Outcome
    reason: str
    at: datetime
    left: str = ""
    person: str = ""
    judgement_id: str = ""
    alert_id: str = ""
    causes: tuple[str, ...] = ()


def first(route: Route, passed: Pass, *, at: datetime, person: str = "") -> Change:
    """The first version serves at once: there is nothing to compare it with."""
    moved = replace(_next(route), champion=passed.model_version_id, waiting=None)
    return _let_in(route, passed, moved, Outcome.FIRST, at=at, person=person)


def start_shadow(route: Route, passed: Pass, *, at: datetime) -> Change:
    """Beside the champion."""
    moved = replace(_next(route), challenger=passed.model_version_id, phase=Phase.SHADOW, waiting=None)
    return _let_in(route, passed, moved, Outcome.STARTED, at=at)


def start_canary(route: Route, passed: Pass, *, weight: int, at: datetime) -> Change:
    """From shadow to the first canary step."""
    moved = replace(_next(route), phase=Phase.CANARY, weight=weight, approved=None)
    return _let_in(route, passed, moved, Outcome.ADVANCED, at=at)


def promote(route: Route, passed: Pass, *, weight: int, at: datetime, person: str) -> Change:
    """A person lets a version in without a shadow; a running challenger leaves."""
    version = passed.model_version_id
    moved = replace(
        _next(route),
        challenger=version,
        phase=Phase.CANARY,
        weight=weight,
        approved=None,
        waiting=None if _is_of(route.waiting, version) else route.waiting,
    )
    if version == route.challenger:
        return _let_in(route, passed, moved, Outcome.ADVANCED, at=at, person=person)
    return _let_in(route, passed, moved, Outcome.STARTED, at=at, person=person, left=route.challenger)


def advance(route: Route, *, weight: int, reason: str, at: datetime) -> Change:
    moved = replace(_next(route), weight=weight)
    return Change(route=moved, outcome=Outcome.ADVANCED, reason=reason, at=at, causes=_follows(route))


def finish(route: Route, *, reason: str, at: datetime) -> Change:
    """The challenger is the champion now."""
    moved = replace(
        _alone(_next(route)),
        champion=route.challenger,
        champions=(*route.champions, route.champion),
        waiting=None,  # it was judged against the champion that leaves: the gate judges it again
    )
    left = route.champion
    return Change(route=moved, outcome=Outcome.FINISHED, reason=reason, at=at, left=left, causes=_follows(route))


def undo(
    route: Route, *, reason: str, at: datetime, judgement_id: str = "", alert_id: str = "", causes: tuple[str, ...] = ()
) -> Change:
    """The challenger is out; the champion never stopped serving."""
    return Change(
        route=_alone(_next(route)),
        outcome=Outcome.UNDONE,
        reason=reason,
        at=at,
        left=route.challenger,
        judgement_id=judgement_id,
        alert_id=alert_id,
        causes=(*causes, *_follows(route)),
    )


def roll_back(route: Route, *, reason: str, at: datetime, person: str) -> Change:
    """The last good version serves alone and the bad one is barred.

    During a canary the bad one is the challenger, which has traffic, and the champion is the last good
    one. Otherwise it is the champion, and its predecessor that is not barred comes back; a shadow ends too,
    and what waited was judged against the bad one: the gate judges it again.

    Raises:
        NothingToRollBackTo: nothing else has ever served, or all of it is barred.
    """
    if route.phase is Phase.CANARY:
        bad = route.challenger
        moved = replace(_alone(_next(route)), waiting=None if _is_of(route.waiting, bad) else route.waiting)
    else:
        bad = route.champion
        good = [version for version in route.champions if version not in (*route.barred, bad)]
        if not good:
            raise NothingToRollBackTo(f"no earlier version of {route.project_id} to bring back")
        earlier = route.champions[: len(route.champions) - 1 - route.champions[::-1].index(good[-1])]
        moved = replace(_alone(_next(route)), champion=good[-1], champions=earlier, waiting=None)
    moved = replace(moved, barred=tuple(dict.fromkeys((*route.barred, bad))))
    return Change(
        route=moved,
        outcome=Outcome.ROLLED_BACK,
        reason=reason,
        at=at,
        left=bad,
        person=person,
        causes=_follows(route),
    )


def _let_in(
    route: Route, passed: Pass, moved: Route, outcome: Outcome, *, at: datetime, person: str = "", left: str = ""
) -> Change:
    return Change(
        route=moved,
        outcome=outcome,
        reason=passed.reason,
        at=at,
        left=left,
        person=person,
        judgement_id=passed.judgement_id,
        causes=(passed.event_id, *_follows(route)),
    )


def _is_of(passed: Pass | None, version: str) -> bool:
    return passed is not None and passed.model_version_id == version


def _follows(route: Route) -> tuple[str, ...]:
    """A change comes from the one before it, whatever else it comes from."""
    return (route.event_id,) if route.event_id else ()


def _next(route: Route) -> Route:
    return replace(route, revision=route.revision + 1, event_id="")


def _alone(route: Route) -> Route:
    return replace(route, challenger="", phase=Phase.SERVING, weight=0, approved=None)
