"""Which model version answers: an immutable table, swapped whole. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from hashlib import blake2b
from types import MappingProxyType
from typing import NamedTuple

from relearn_serving.gateway.refusals import NoChampion, NotReady, UnknownModel, UnknownVersion

BUCKETS = 10_000


class Phase(Enum):
    SERVING = "serving"
    SHADOW = "shadow"
    CANARY = "canary"


class Arm(Enum):
    """In which role a version gave its answer."""

    CHAMPION = "champion"
    CANARY = "canary"
    SHADOW = "shadow"
    PINNED = "pinned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What serves one project. Versions are model version ids, "" where there is none."""

    project_id: str
    revision: int
    champion: str
    challenger: str
    phase: Phase
    weight: int  # percent of the traffic that the challenger answers, 0..100; only in CANARY
    shards: int  # how many partition keys its predictions are spread over

    @property
    def versions(self) -> tuple[str, ...]:
        return tuple(version for version in (self.champion, self.challenger) if version)

    def alone(self) -> "Route":
        """The same revision with its champion alone."""
        return replace(self, challenger="", phase=Phase.SERVING, weight=0)


class Choice(NamedTuple):
    """The version that answers a request, and the one that shadows it ("" for none)."""

    route: Route
    version: str
    arm: Arm
    shadow: str


@dataclass(frozen=True, slots=True)
class RouteTable:
    """All routes of one moment."""

    routes: Mapping[str, Route] = field(default_factory=lambda: MappingProxyType({}))
    awaited: frozenset[str] = frozenset()  # projects that have a route, of which none is in force here yet
    complete: bool = False  # False until control has told us what there is

    def awaiting(self, project_id: str) -> "RouteTable":
        """The table that knows of a project whose models are still on their way."""
        return self if project_id in self.routes else replace(self, awaited=self.awaited | {project_id})

    def with_route(self, route: Route) -> "RouteTable":
        """The table with `route` in it, in place of whatever the project had."""
        routes = MappingProxyType({**self.routes, route.project_id: route})
        return replace(self, routes=routes, awaited=self.awaited - {route.project_id})

    def completed(self) -> "RouteTable":
        """The table of which we know that nothing is missing."""
        return replace(self, complete=True)

    def of(self, project_id: str) -> Route:
        """The project's route.

        Raises:
            NotReady: no table has arrived yet, or the project's models have not.
            UnknownModel: there is no such project, as far as control has told.
        """
        route = self.routes.get(project_id)
        if route is None:
            if project_id in self.awaited:
                raise NotReady(
                    f"the model of {project_id!r} is still on its way to this gateway; try again in a moment"
                )
            if not self.complete:
                raise NotReady("the gateway has no route table yet; try again in a moment")
            raise UnknownModel(f"no model named {project_id[:80]!r}; a model has the name of its project")
        return route


def choose(route: Route, *, version: str, key: str) -> Choice:
    """Which version answers.

    Args:
        version: number of the version the caller pins, "" to follow the route.
        key: what makes the choice sticky; one key always falls on one side of a given rollout, and
            a growing weight only ever moves keys from champion to challenger.
    """
    if version:
        return Choice(route=route, version=pinned(route.project_id, version), arm=Arm.PINNED, shadow="")
    if not route.champion:
        raise NoChampion(f"no model version serves {route.project_id!r} yet")
    if route.challenger and route.phase is Phase.CANARY and bucket(route, key) < route.weight * (BUCKETS // 100):
        return Choice(route=route, version=route.challenger, arm=Arm.CANARY, shadow="")
    shadow = route.challenger if route.phase is Phase.SHADOW else ""
    return Choice(route=route, version=route.champion, arm=Arm.CHAMPION, shadow=shadow)


def pinned(project_id: str, version: str) -> str:
    """The id of version `<n>` of a project's model.

    Raises:
        UnknownVersion: not a positive number without leading zeros.
    """
    if not (version.isascii() and version.isdigit() and len(version) <= 9 and version[0] != "0"):
        raise UnknownVersion(f"version {version[:80]!r} is not a version number; leave it empty to follow the route")
    return f"{project_id}/model/{version}"


def bucket(route: Route, key: str) -> int:
    """0..BUCKETS-1; salted with the challenger, so that each rollout asks other callers first."""
    digest = blake2b(f"{route.challenger}\0{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % BUCKETS


def partition_key(route: Route, prediction_id: str) -> str:
    """`<project>/<shard>`: a request, its batch items and its shadows share a partition."""
    if route.shards <= 1:
        return f"{route.project_id}/0"
    digest = blake2b(prediction_id.encode(), digest_size=8).digest()
    return f"{route.project_id}/{int.from_bytes(digest, 'big') % route.shards}"


def version_number(model_version_id: str) -> str:
    """`<n>` of `<project>/model/<n>`: the version's name in the Open Inference Protocol."""
    return model_version_id.rpartition("/")[2]
