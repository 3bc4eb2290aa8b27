"""Where each model version of a project stands on its way to traffic. One challenger at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from relearn_runtime.errors import NotFound, WrongState


class ModelVersionNotFound(NotFound):
    """No model version of this id is registered."""

    reason = "MODEL_VERSION_NOT_FOUND"


class AlreadyChampion(WrongState):
    """The version serves already."""

    reason = "ALREADY_CHAMPION"


class AlreadyInCanary(WrongState):
    """The version is in traffic already; its evidence decides."""

    reason = "ALREADY_IN_CANARY"


class VersionBarred(WrongState):
    """A rollback barred the version."""

    reason = "VERSION_BARRED"


class Standing(Enum):
    """Where a version stands."""

    COPYING = "copying"
    """Its files are being copied and checked; nobody has heard of it."""
    WAITING = "waiting"
    """Registered; waits for the way to be free."""
    ADMITTED = "admitted"
    """Passed step 1; serving control is to start it."""
    SHADOW = "shadow"
    """Beside the champion, step 2 collects evidence."""
    APPROVAL = "approval"
    """The gate would let it pass; a person has the last word, until the deadline."""
    PASSED = "passed"
    """Passed step 2, or promoted; serving control is to go on."""
    CANARY = "canary"
    CHAMPION = "champion"
    REJECTED = "rejected"
    UNDONE = "undone"
    """Control took it out of the route, or a rollback barred it before it served."""
    RETIRED = "retired"
    """Was champion; a rollback may have barred it."""


_ON_THE_WAY = {Standing.ADMITTED, Standing.APPROVAL, Standing.PASSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A version as the gate's queue sees it; `champion_id` is the one it was last judged against."""

    model_version_id: str
    number: int
    standing: Standing
    champion_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteNow:
    """What serves a project, as far as the registry has heard; `event_id` is of the event that told it."""

    route_id: str
    event_id: str
    revision: int
    champion_id: str
    challenger_id: str | None
    in_shadow: bool
    barred: frozenset[str] = frozenset()

    @property
    def aliases(self) -> Mapping[str, str]:
        """Alias to the version it names; empty when it names none."""
        return {"champion": self.champion_id, "challenger": self.challenger_id or ""}


def superseded(candidates: Iterable[Candidate], route: RouteNow | None) -> list[tuple[Candidate, Candidate]]:
    """Those that wait while a newer one waits too, each with the newest. A first version under approval waits too."""
    waiting = [
        c for c in candidates if c.standing is Standing.WAITING or (route is None and c.standing is Standing.APPROVAL)
    ]
    newest = max(waiting, key=lambda c: c.number, default=None)
    return [(c, newest) for c in waiting if newest is not None and c is not newest]


def next_to_judge(candidates: Sequence[Candidate], route: RouteNow | None) -> Candidate | None:
    """The version that step 1 judges now: the newest that waits, when no challenger is on its way."""
    if any(c.standing in _ON_THE_WAY for c in candidates) or (route is not None and route.challenger_id):
        return None
    waiting = [c for c in candidates if c.standing is Standing.WAITING]
    return max(waiting, key=lambda c: c.number, default=None)


def after_route(candidate: Candidate, before: RouteNow | None, now: RouteNow) -> Standing:
    """Where a version stands once a new route is in force."""
    version, standing = candidate.model_version_id, candidate.standing
    if version == now.champion_id:
        return Standing.CHAMPION
    if version == now.challenger_id:
        judged = standing in {Standing.APPROVAL, Standing.PASSED, Standing.REJECTED}
        return (standing if judged else Standing.SHADOW) if now.in_shadow else Standing.CANARY
    if standing is Standing.CHAMPION:
        return Standing.RETIRED
    left = before is not None and version == before.challenger_id
    if standing in {Standing.SHADOW, Standing.CANARY} or (standing in _ON_THE_WAY and (left or version in now.barred)):
        return Standing.UNDONE
    if standing in {Standing.ADMITTED, Standing.APPROVAL} and candidate.champion_id != now.champion_id:
        return Standing.WAITING  # judged again, against the champion of now
    return standing


def check_promotable(candidate: Candidate, route: RouteNow | None) -> int:
    """The step that a person's word stands for: 2, or 1 where nothing serves yet.

    Raises:
        ModelVersionNotFound: its files are not there yet.
        AlreadyChampion, AlreadyInCanary, VersionBarred.
    """
    version = candidate.model_version_id
    if candidate.standing is Standing.COPYING:
        raise ModelVersionNotFound(f"{version} is not registered yet", model_version_id=version)
    if route is None:
        return 1
    if version == route.champion_id:
        raise AlreadyChampion(f"{version} is the champion already", model_version_id=version)
    if version == route.challenger_id and not route.in_shadow:
        raise AlreadyInCanary(f"{version} is in the canary already", model_version_id=version)
    if version in route.barred:
        raise VersionBarred(f"{version} was barred by a rollback; train a new one", model_version_id=version)
    return 2
