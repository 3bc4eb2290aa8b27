"""Follows control: whatever it decides is loaded first and in force then.

Routes arrive in three ways (control's answers, the compacted topic, the disk) and in any order; per project
the highest revision wins. Projects do not wait for each other. A route whose models do not load leaves the
old one in force (without its challenger where that is no longer wanted); control is told, and it is tried again.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType

from relearn_runtime.errors import RelearnError
from relearn_serving.gateway.artifact import BadModel
from relearn_serving.gateway.model import Model
from relearn_serving.gateway.refusals import UnknownVersion
from relearn_serving.gateway.routing import Route, RouteTable
from relearn_serving.gateway.state import Current, Serving

log = logging.getLogger(__name__)

Load = Callable[[str], Model]
Save = Callable[[RouteTable], None]

_LOADERS = 8
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
    """Belongs to the event loop; models load in threads, one route of a project at a time."""

    def __init__(self, current: Current, *, load: Load, save: Save) -> None:
        self._current = current
        self._load = load
        self._save = save
        self._saving = asyncio.Lock()
        # its own, so that models that hang hold up neither each other nor a stop
        self._loaders = ThreadPoolExecutor(_LOADERS, thread_name_prefix="load")
        self._wanted: dict[str, Route] = {}
        self._news: dict[str, asyncio.Event] = {}
        self._followers: dict[str, asyncio.Task[None]] = {}
        self._problems: dict[str, Problem] = {}
        self._changed = asyncio.Event()

    def want(self, *routes: Route) -> None:
        """Control has decided these; older or known revisions change nothing."""
        for route in routes:
            project_id = route.project_id
            serving = self._current.serving
            known = self._wanted.get(project_id) or serving.table.routes.get(project_id)
            if known is not None and known.revision >= route.revision:
                continue
            self._wanted[project_id] = route
            self._current.swap(replace(serving, table=serving.table.awaiting(project_id)))
            self._news.setdefault(project_id, asyncio.Event()).set()
            if (follower := self._followers.get(project_id)) is None or follower.done():
                self._followers[project_id] = asyncio.create_task(self._follow(project_id))

    async def all_known(self) -> None:
        """From now on a project without a route does not exist; returns when what was wanted was tried."""
        while any(project not in self._problems for project in self._wanted):
            await asyncio.sleep(0.01)
        serving = self._current.serving
        self._current.swap(replace(serving, table=serving.table.completed()))

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

    async def stop(self) -> None:
        """Moves nothing any more."""
        followers = list(self._followers.values())
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        self._loaders.shutdown(wait=False, cancel_futures=True)

    async def _follow(self, project_id: str) -> None:
        """Puts what is wanted for one project in force, until it is."""
        news = self._news[project_id]
        attempt = 0
        while (route := self._wanted.get(project_id)) is not None:
            if news.is_set():
                news.clear()
                attempt = 0
            if not await self._tried(route):
                with suppress(TimeoutError):
                    async with asyncio.timeout(_RETRY_S[min(attempt, len(_RETRY_S) - 1)]):
                        await news.wait()
                attempt += 1

    async def _tried(self, route: Route) -> bool:
        """Whether the route is in force, or not wanted any more."""
        try:
            models = {version: await self._model(version) for version in route.versions}
        except Exception as error:
            self._note(route, error)
            await self._stand_in(route)
            return False
        if self._wanted[route.project_id] is not route:  # its champion may be barred by now
            return True
        del self._wanted[route.project_id]
        self._problems.pop(route.project_id, None)
        await self._put_in_force(route, models)
        return True

    async def _model(self, model_version_id: str) -> Model:
        loaded = self._current.serving.models.get(model_version_id)
        if loaded is not None:
            return loaded
        return await asyncio.get_running_loop().run_in_executor(self._loaders, self._load, model_version_id)

    async def _put_in_force(self, route: Route, models: Mapping[str, Model]) -> None:
        self._swap(route, models)
        self._changed.set()
        log.info(
            "route in force",
            extra={"project_id": route.project_id, "revision": route.revision, "phase": route.phase.value},
        )
        try:
            async with self._saving:
                await asyncio.to_thread(self._save, self._current.serving.table)
        except Exception:  # a full disk, say: the next move tries again, and control knows the routes anyway
            log.exception("the routes could not be saved")

    def _swap(self, route: Route, models: Mapping[str, Model]) -> None:
        serving = self._current.serving
        table = serving.table.with_route(route)
        named = {version for each in table.routes.values() for version in each.versions}
        kept = {version: model for version, model in {**serving.models, **models}.items() if version in named}
        self._current.swap(Serving(table, MappingProxyType(kept)))

    def _note(self, route: Route, error: Exception) -> None:
        """Keeps what control is told about a route that is not in force."""
        reason, text = (error.reason, error.message) if isinstance(error, RelearnError) else ("INTERNAL", repr(error))
        hopeless = isinstance(error, BadModel | UnknownVersion)
        problem = Problem(revision=route.revision, text=f"{reason}: {text}", hopeless=hopeless)
        if self._problems.get(route.project_id) != problem:
            unexpected = None if isinstance(error, RelearnError) else error
            log.warning(
                "route not in force",
                extra={"project_id": route.project_id, "problem": problem.text},
                exc_info=unexpected,
            )
            self._changed.set()
        self._problems[route.project_id] = problem

    async def _stand_in(self, route: Route) -> None:
        """Until the challenger loads the champion serves alone: a challenger of before may be barred by now."""
        now = self._current.serving.table.routes.get(route.project_id)
        if not route.challenger or (now is not None and (now.champion, now.challenger) == (route.champion, "")):
            return
        alone = replace(route.alone(), revision=0 if now is None else now.revision)
        try:
            models = {route.champion: await self._model(route.champion)} if route.champion else {}
        except Exception as error:
            log.info("its champion does not load either", extra={"project_id": route.project_id, "problem": str(error)})
            return
        self._swap(alone, models)
