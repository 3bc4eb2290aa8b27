"""Why asks everybody, and says who did not answer."""

from contextlib import asynccontextmanager

import pytest

from relearn.registry.v1 import registry_service_pb2 as pb
from relearn.registry.v1.project_pb2 import InputKind, LabelSet, Project
from relearn_registry.app import build
from relearn_runtime import ProcessConfig, Service, Waiting, new_id, utc_now
from relearn_runtime.errors import NotFound


class Unknown(NotFound):
    reason = "PROJECT_NOT_FOUND"


@pytest.fixture
async def neighbour(config):
    """A real service process frame that waits for labels, and has never heard of other projects."""

    async def waiting(project_id):
        if project_id != "fashion":
            raise Unknown(f"there is no project {project_id!r}")
        return [Waiting(stage="label tasks", waits_for="12 of 60 answers", progress=0.2)]

    inherited = {name: getattr(config, name) for name in ProcessConfig.model_fields}
    service = Service(name="labeling", config=ProcessConfig(**inherited), waiting=waiting)
    await service.start()
    yield service
    await service.stop()


@asynccontextmanager
async def registry_beside(neighbour, config, loop_events):
    service = build(config.model_copy(update={"labeling_address": neighbour.address}), new_id=new_id, now=utc_now)
    await service.start()
    loop = loop_events(service)
    try:
        yield loop
    finally:
        await loop.close()
        await service.stop()


async def test_why_asks_everybody_in_the_order_of_the_loop(config, neighbour, loop_events, make_disagreement):
    async with registry_beside(neighbour, config, loop_events) as loop:
        await loop.in_shadow()
        await loop.answers(2, 1)
        await loop.disputed(make_disagreement(4))
        await loop.stands(2, "4 of 10")

        response = await loop.registry.Why(pb.WhyRequest(project_id="fashion"))

    assert [s.service for s in response.services] == [
        "control",
        "monitoring",
        "labeling",
        "datasets",
        "training",
        "registry",
    ]
    by_name = {s.service: s for s in response.services}
    assert not by_name["datasets"].reachable
    assert by_name["datasets"].problem
    (line,) = by_name["labeling"].waiting
    assert (line.stage, line.waits_for, line.progress) == ("label tasks", "12 of 60 answers", 0.2)
    (own,) = by_name["registry"].waiting
    assert own.stage == "gate step 2"
    assert "4 of 10 disagreements settled" in own.waits_for
    assert own.progress == pytest.approx(0.4)


async def test_a_service_that_has_not_heard_of_a_project_says_so(config, neighbour, loop_events):
    other = Project(project_id="other", input_kind=InputKind.INPUT_KIND_IMAGE, label_set=LabelSet(classes=["a", "b"]))
    async with registry_beside(neighbour, config, loop_events) as loop:
        await loop.apply(other)

        response = await loop.registry.Why(pb.WhyRequest(project_id="other"))

    labeling = next(s for s in response.services if s.service == "labeling")
    assert labeling.reachable
    assert labeling.waiting[0].waits_for == "has not heard of other yet"
    registry = response.services[-1]
    assert [w.waits_for for w in registry.waiting] == ["a study's winner"]


async def test_a_paused_project_waits_for_a_person(loop):
    await loop.apply()
    await loop.pause()

    response = await loop.registry.Why(pb.WhyRequest(project_id="fashion"))

    first = response.services[-1].waiting[0]
    assert (first.stage, first.needs_person) == ("project", True)
