"""Follows control: whatever it decides is loaded first and in force then.

Routes arrive in three ways (the disk at start, `GetRoutes` and the answers to our reports, the
compacted topic) and in any order; per project the highest revision wins. A route whose models do not
load changes nothing: the old one stays in force, the problem is told to control and tried again.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from relearn_runtime.errors import InvalidInput, NotFound, RelearnError
from relearn_serving.gateway.model import Model
from relearn_serving.gateway.routing import Phase, Route, RouteTable
from relearn_serving.gateway.state import Current, Serving

log = logging.getLogger(__name__)

Load = Callable[[str], Model]
Save = Callable[[RouteTable], None]

_RETRY_S = (0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a route is not in force."""

    revision: int
    text: str
    hopeless: bool  # trying again cannot help


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is in force for a project, and why nothing newer is."""

    revision: int
    problem: "Problem | None"


class Routes:
    """Belongs to the event loop; models load in threads, one route at a time."""

    def __init__(self, current: Current, *, load: Load, save: Save) -> None:
        self._current = current
        self._load = load
        self._save = save
        self._wanted: dict[str, Route] = {}
        self._problems: dict[str, Problem] = {}
        self._attempts: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()

    def want(self, *routes: Route) -> None:
        """Control has decided these; older or known revisions change nothing."""
        for route in routes:
            known = self._wanted.get(route.project_id) or self._current.serving.table.routes.get(route.project_id)
            if known is None or known.revision < route.revision:
                self._wanted[route.project_id] = route
                self._attempts.pop(route.project_id, None)
                self._wake.set()

    async def all_known(self) -> None:
        """From now on a project without a route does not exist; returns when what was wanted was tried."""
        while any(project not in self._attempts for project in self._wanted):
            await asyncio.sleep(0.01)
        serving = self._current.serving
        self._current.swap(Serving(serving.table.completed(), serving.models))

    async def changed_within(self, timeout_s: float) -> None:
        """Returns when a route came into force or failed to, or after the timeout."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    def standings(self) -> Mapping[str, Standing]:
        """By project, for the acknowledgements."""
        routes = self._current.serving.table.routes
        return {
            project: Standing(
                revision=routes[project].revision if project in routes else 0,
                problem=self._problems.get(project),
            )
            for project in routes.keys() | self._problems.keys()
        }

    async def run(self) -> None:
        """Puts wanted routes in force, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for route in list(self._wanted.values()):
                await self._put_in_force(route)

    async def _put_in_force(self, route: Route) -> None:
        try:
            models = {version: await self._model(version) for version in route.versions}
        except RelearnError as error:
            await self._failed(route, error)
            return
        except Exception as error:  # a bug must not stop the other projects' routes
            log.exception("a route could not be put in force", extra={"route": route.project_id})
            await self._failed(route, RelearnError(repr(error)))
            return
        self._problems.pop(route.project_id, None)
        if self._wanted.get(route.project_id) is route:
            del self._wanted[route.project_id]
        self._swap(route, models)
        self._changed.set()
        log.info(
            "route in force",
            extra={"project_id": route.project_id, "revision": route.revision, "phase": route.phase.value},
        )
        await asyncio.to_thread(self._save, self._current.serving.table)

    async def _model(self, model_version_id: str) -> Model:
        loaded = self._current.serving.models.get(model_version_id)
        return await asyncio.to_thread(self._load, model_version_id) if loaded is None else loaded

    def _swap(self, route: Route, models: Mapping[str, Model]) -> None:
        serving = self._current.serving
        table = serving.table.with_route(route)
        named = {version for each in table.routes.values() for version in each.versions}
        kept = {version: model for version, model in {**serving.models, **models}.items() if version in named}
        self._current.swap(Serving(table, MappingProxyType(kept)))

    async def _failed(self, route: Route, error: RelearnError) -> None:
        """The old route stays; without one, the champion alone serves until the challenger loads."""
        attempt = self._attempts.get(route.project_id, 0)
        self._attempts[route.project_id] = attempt + 1
        hopeless = isinstance(error, InvalidInput | NotFound)
        problem = Problem(revision=route.revision, text=f"{error.reason}: {error.message}", hopeless=hopeless)
        if self._problems.get(route.project_id) != problem:
            log.warning("route not in force", extra={"project_id": route.project_id, "problem": problem.text})
            self._changed.set()
        self._problems[route.project_id] = problem
        if route.project_id not in self._current.serving.table.routes and route.challenger:
            alone = replace(route, revision=0, challenger="", phase=Phase.SERVING, weight=0)
            try:
                self._swap(alone, {route.champion: await self._model(route.champion)})
            except RelearnError:
                log.info("the champion does not load either", extra={"project_id": route.project_id})
        delay = _RETRY_S[min(attempt, len(_RETRY_S) - 1)]
        asyncio.get_running_loop().call_later(delay, self._wake.set)
