"""Following control: no failure of one move, one project or the disk stops the others."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from relearn_runtime.errors import DependencyUnavailable
from relearn_runtime.testing import eventually
from relearn_serving.gateway import routes as module
from relearn_serving.gateway.artifact import BadModel
from relearn_serving.gateway.refusals import NotReady
from relearn_serving.gateway.routes import Routes
from relearn_serving.gateway.routing import Phase, Route, RouteTable
from relearn_serving.gateway.state import Current


def route(project: str = "shop", revision: int = 1, champion: int = 1, challenger: int | None = None) -> Route:
    return Route(
        project_id=project,
        revision=revision,
        champion=f"{project}/model/{champion}",
        challenger="" if challenger is None else f"{project}/model/{challenger}",
        phase=Phase.SERVING if challenger is None else Phase.CANARY,
        weight=0 if challenger is None else 25,
        shards=1,
    )


class Disk:
    """Loads whatever is not said to fail, and keeps the tables that were saved."""

    def __init__(self) -> None:
        self.failures: dict[str, Exception] = {}
        self.loads: Counter[str] = Counter()
        self.held: dict[str, threading.Event] = {}
        self.saved: list[RouteTable] = []
        self.full = False

    def load(self, model_version_id: str) -> Any:
        self.loads[model_version_id] += 1
        if (held := self.held.get(model_version_id)) is not None:
            held.wait(10)
        if (failure := self.failures.get(model_version_id)) is not None:
            raise failure
        return object()

    def save(self, table: RouteTable) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.saved.append(table)


@pytest.fixture
async def disk() -> Disk:
    return Disk()


@pytest.fixture
async def current() -> Current:
    return Current()


@pytest.fixture
async def routes(disk: Disk, current: Current) -> Any:
    made = Routes(current, load=disk.load, save=disk.save)
    yield made
    await made.stop()


def in_force(current: Current, project: str = "shop") -> Callable[[], int]:
    def revision() -> int:
        found = current.serving.table.routes.get(project)
        return 0 if found is None else found.revision

    return revision


async def test_a_full_disk_stops_no_move(disk: Disk, current: Current, routes: Routes):
    disk.full = True
    routes.want(route(revision=1))
    await eventually(lambda: in_force(current)() == 1)
    disk.full = False

    routes.want(route(revision=2, champion=2))

    await eventually(lambda: in_force(current)() == 2)
    await eventually(lambda: disk.saved)
    assert disk.saved[-1].routes["shop"].revision == 2


async def test_a_file_that_cannot_be_read_is_tried_again(
    disk: Disk, current: Current, routes: Routes, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "_RETRY_S", (0.01,))
    disk.failures["shop/model/1"] = OSError(5, "Input/output error")
    routes.want(route(challenger=2))
    await eventually(lambda: disk.loads["shop/model/1"] > 3)

    disk.failures.clear()

    await eventually(lambda: in_force(current)() == 1)


async def test_a_project_whose_model_hangs_holds_up_no_other(disk: Disk, current: Current, routes: Routes):
    held = disk.held["slow/model/1"] = threading.Event()
    routes.want(route("slow"))

    routes.want(route("shop"))

    await eventually(lambda: in_force(current)() == 1)
    assert in_force(current, "slow")() == 0
    held.set()


async def test_each_failing_project_is_tried_again_in_its_own_time(
    disk: Disk, routes: Routes, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "_RETRY_S", (60.0,))
    projects = ("one", "two", "three")
    for project in projects:
        disk.failures[f"{project}/model/1"] = DependencyUnavailable("registry is away")
        routes.want(route(project))
        await eventually(lambda project=project: project in routes.standings())

    assert disk.loads == {f"{project}/model/1": 1 for project in projects}


async def test_news_is_tried_at_once_and_what_it_replaces_never_comes_into_force(
    disk: Disk, current: Current, routes: Routes, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "_RETRY_S", (60.0,))
    held = disk.held["shop/model/2"] = threading.Event()
    routes.want(route(revision=5, champion=2))
    await eventually(lambda: disk.loads["shop/model/2"])
    routes.want(route(revision=6, champion=1))
    held.set()

    await eventually(lambda: in_force(current)() == 6)
    await eventually(lambda: disk.saved)
    assert [table.routes["shop"].revision for table in disk.saved] == [6]


async def test_an_older_or_equal_revision_changes_nothing(current: Current, routes: Routes):
    routes.want(route(revision=4))
    await eventually(lambda: in_force(current)() == 4)

    routes.want(route(revision=4, champion=9), route(revision=3, champion=9))

    assert current.serving.table.routes["shop"] == route(revision=4)
    assert routes.standings()["shop"].problem is None


async def test_until_its_model_loads_a_known_project_is_not_ready(disk: Disk, current: Current, routes: Routes):
    disk.failures["shop/model/1"] = DependencyUnavailable("registry is away")
    routes.want(route())

    await routes.all_known()

    with pytest.raises(NotReady):
        current.serving.table.of("shop")
    problem = routes.standings()["shop"].problem
    assert problem is not None
    assert (problem.revision, problem.hopeless) == (1, False)


async def test_a_challenger_that_left_goes_even_if_its_successor_does_not_load(
    disk: Disk, current: Current, routes: Routes
):
    routes.want(route(revision=2, champion=1, challenger=2))
    await eventually(lambda: in_force(current)() == 2)
    disk.failures["shop/model/3"] = BadModel("does not run")

    routes.want(route(revision=4, champion=1, challenger=3))

    await eventually(lambda: not current.serving.table.routes["shop"].challenger)
    assert current.serving.table.routes["shop"] == replace(route(), revision=2)
    assert list(current.serving.models) == ["shop/model/1"]
    problem = routes.standings()["shop"].problem
    assert problem is not None
    assert (problem.revision, problem.hopeless) == (4, True)
