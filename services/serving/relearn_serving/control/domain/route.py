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
class Route:
    """What serves a project now, and what control remembers beside it. Versions are ids, "" for none."""

    project_id: str
    revision: int = 0  # 0: nothing has served yet
    champion: str = ""
    challenger: str = ""
    phase: Phase = Phase.SERVING
    weight: int = 0  # percent, only in CANARY
    shards: int = 1
    approved: bool = False  # gate step 2 has passed the challenger
    waiting: str = ""  # passed gate step 1 while it could not start; the newest replaces an older one
    champions: tuple[str, ...] = ()  # earlier ones, oldest first
    barred: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One revision of a route."""

    route: Route
    outcome: Outcome
    reason: str
    at: datetime
    left: str = ""  # version that left the route
    person: str = ""


def first(route: Route, version: str, *, reason: str, at: datetime, person: str = "") -> Change:
    """The first version serves at once: there is nothing to compare it with."""
    moved = replace(_next(route), champion=version, waiting="")
    return Change(route=moved, outcome=Outcome.FIRST, reason=reason, at=at, person=person)


def start_shadow(route: Route, version: str, *, reason: str, at: datetime) -> Change:
    moved = replace(_next(route), challenger=version, phase=Phase.SHADOW, waiting="")
    return Change(route=moved, outcome=Outcome.STARTED, reason=reason, at=at)


def start_canary(route: Route, *, weight: int, reason: str, at: datetime) -> Change:
    """From shadow to the first canary step."""
    moved = replace(_next(route), phase=Phase.CANARY, weight=weight, approved=True)
    return Change(route=moved, outcome=Outcome.ADVANCED, reason=reason, at=at)


def promote(route: Route, version: str, *, weight: int, reason: str, at: datetime, person: str) -> Change:
    """A person lets a version in without a shadow; a running challenger leaves."""
    moved = replace(
        _next(route),
        challenger=version,
        phase=Phase.CANARY,
        weight=weight,
        approved=True,
        waiting="" if route.waiting == version else route.waiting,
    )
    if version == route.challenger:
        return Change(route=moved, outcome=Outcome.ADVANCED, reason=reason, at=at, person=person)
    return Change(route=moved, outcome=Outcome.STARTED, reason=reason, at=at, left=route.challenger, person=person)


def advance(route: Route, *, weight: int, reason: str, at: datetime) -> Change:
    return Change(route=replace(_next(route), weight=weight), outcome=Outcome.ADVANCED, reason=reason, at=at)


def finish(route: Route, *, reason: str, at: datetime) -> Change:
    """The challenger is the champion now."""
    moved = replace(_alone(_next(route)), champion=route.challenger, champions=(*route.champions, route.champion))
    return Change(route=moved, outcome=Outcome.FINISHED, reason=reason, at=at, left=route.champion)


def undo(route: Route, *, reason: str, at: datetime) -> Change:
    """The challenger is out; the champion never stopped serving."""
    return Change(route=_alone(_next(route)), outcome=Outcome.UNDONE, reason=reason, at=at, left=route.challenger)


def roll_back(route: Route, *, reason: str, at: datetime, person: str) -> Change:
    """The last good version serves alone and the bad one is barred.

    During a canary the bad one is the challenger, which has traffic, and the champion is the last good
    one. Otherwise it is the champion, and its predecessor that is not barred comes back; a shadow ends too.

    Raises:
        NothingToRollBackTo: nothing else has ever served, or all of it is barred.
    """
    if route.phase is Phase.CANARY:
        bad = route.challenger
        moved = _alone(_next(route))
    else:
        bad = route.champion
        good = [version for version in route.champions if version not in (*route.barred, bad)]
        if not good:
            raise NothingToRollBackTo(f"no earlier version of {route.project_id} to bring back")
        earlier = route.champions[: len(route.champions) - 1 - route.champions[::-1].index(good[-1])]
        moved = replace(_alone(_next(route)), champion=good[-1], champions=earlier)
    waiting = "" if route.waiting == bad else route.waiting
    moved = replace(moved, barred=tuple(dict.fromkeys((*route.barred, bad))), waiting=waiting)
    return Change(route=moved, outcome=Outcome.ROLLED_BACK, reason=reason, at=at, left=bad, person=person)


def _next(route: Route) -> Route:
    return replace(route, revision=route.revision + 1)


def _alone(route: Route) -> Route:
    return replace(route, challenger="", phase=Phase.SERVING, weight=0, approved=False)
