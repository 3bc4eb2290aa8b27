"""RegistryService over a socket: each RPC, each error it lists, and replays."""

from contextlib import asynccontextmanager

import grpc
import pytest

from relearn.registry.v1 import registry_service_pb2 as pb
from relearn.registry.v1.events_pb2 import ProjectApplied
from relearn.registry.v1.project_pb2 import InputKind, LabelSet, Project, RegionKind, Truth
from relearn.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from relearn_runtime import channel, new_id
from relearn_runtime.errors import InvalidInput, NotFound, PermissionDenied, Unauthenticated, WrongState
from relearn_runtime.rpc_errors import translated
from relearn_runtime.testing import collect

CODES = {
    InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    WrongState: grpc.StatusCode.FAILED_PRECONDITION,
}


@asynccontextmanager
async def refused(kind, reason):
    with pytest.raises(kind) as error:
        async with translated("registry"):
            yield error
    assert error.value.reason == reason


def project(name="fashion", classes=("coat", "shirt"), **policies):
    return Project(
        project_id=name, input_kind=InputKind.INPUT_KIND_IMAGE, label_set=LabelSet(classes=classes), **policies
    )


def promoting(version, reason="please"):
    return pb.PromoteModelVersionRequest(model_version_id=version, reason=reason, request_id=new_id())


def applying(wanted, request_id=None):
    return pb.ApplyProjectRequest(project=wanted, request_id=request_id or new_id())


async def test_applying_a_project_shows_its_defaults_and_tells_everybody(loop):
    response = await loop.registry.ApplyProject(applying(project(training={"trials": 2})))

    assert response.changed
    assert (response.project.revision, response.project.training.trials) == (1, 2)
    assert response.project.monitoring.labels_per_day == 500
    assert response.project.label_set.version == 1
    (event,) = await collect(loop.kafka, ProjectApplied, 1)
    assert event.message.project == response.project
    assert event.message.person == "test-engineer"


async def test_applying_the_same_again_changes_nothing_and_a_change_raises_the_revision(loop):
    await loop.registry.ApplyProject(applying(project()))

    same = await loop.registry.ApplyProject(applying(project()))
    shown = await loop.registry.ApplyProject(applying(same.project))
    changed = await loop.registry.ApplyProject(applying(project(training={"trials": 3})))

    assert [same.changed, shown.changed, changed.changed] == [False, False, True]
    assert changed.project.revision == 2
    events = await collect(loop.kafka, ProjectApplied, 2)
    assert [e.message.project.revision for e in events] == [1, 2]


async def test_a_repeated_request_gets_the_first_answer_and_tells_nothing_twice(loop):
    request = applying(project())
    first = await loop.registry.ApplyProject(request)
    await loop.registry.ApplyProject(applying(project(training={"trials": 3})))

    again = await loop.registry.ApplyProject(request)

    assert again == first
    events = await collect(loop.kafka, ProjectApplied, 2)
    assert [e.message.project.revision for e in events] == [1, 2]


async def test_a_request_id_serves_one_request_only(loop):
    request_id = new_id()
    await loop.registry.ApplyProject(applying(project(), request_id))

    async with refused(InvalidInput, "REQUEST_ID_REUSED"):
        await loop.registry.ApplyProject(applying(project("other"), request_id))
    async with refused(InvalidInput, "INVALID_REQUEST_ID"):
        await loop.registry.ApplyProject(pb.ApplyProjectRequest(project=project()))


async def test_a_project_that_can_not_be_names_every_path(loop):
    wanted = project("Fashion", training={"trials": 0}, rollout={"canary_percent": [50, 5]})

    async with refused(InvalidInput, "INVALID_PROJECT") as error:
        await loop.registry.ApplyProject(applying(wanted))

    assert set(error.value.metadata) == {
        "project_id",
        "training.trials",
        "rollout.canary_percent",
        "rollout.canary_percent[1]",
    }
    assert "training.trials: must be 1 to 100, is 0" in error.value.message


async def test_a_thousand_mistakes_are_refused_like_one(loop):
    wanted = project(classes=["coat"] * 1000)

    async with refused(InvalidInput, "INVALID_PROJECT") as error:
        await loop.registry.ApplyProject(applying(wanted))

    assert error.value.metadata["label_set.classes[1]"] == "is there twice: 'coat'"
    assert "and 979 more" in error.value.message


async def test_an_empty_project_says_what_is_missing(loop):
    async with refused(InvalidInput, "INVALID_PROJECT") as error:
        await loop.registry.ApplyProject(applying(Project()))

    assert set(error.value.metadata) == {"project_id", "input_kind", "label_set.classes"}


async def test_the_classes_of_a_project_are_fixed(loop):
    await loop.registry.ApplyProject(applying(project()))

    async with refused(WrongState, "LABEL_SET_FIXED"):
        await loop.registry.ApplyProject(applying(project(classes=("coat", "shirt", "bag"))))


async def test_a_project_of_regions_may_change_its_label_set_and_each_change_is_a_version(loop):
    wanted = project(labeling={"truth": Truth.TRUTH_WEIGHTED})
    wanted.label_set.region_kinds.append(RegionKind.REGION_KIND_BOX)
    first = await loop.registry.ApplyProject(applying(wanted))
    wanted.label_set.attributes.add(name="colour", values=["red", "blue"])

    changed = await loop.registry.ApplyProject(applying(wanted))

    assert [answer.project.label_set.version for answer in (first, changed)] == [1, 2]
    assert changed.project.label_set.attributes == wanted.label_set.attributes
    assert first.project.labeling.overlap_other == 1
    assert not first.project.labeling.HasField("most_overlap")
    wanted.label_set.region_kinds.append(RegionKind.REGION_KIND_SPAN)
    async with refused(InvalidInput, "INVALID_PROJECT") as error:
        await loop.registry.ApplyProject(applying(wanted))
    assert set(error.value.metadata) == {"label_set.region_kinds[1]"}


async def test_projects_are_listed_by_name_page_by_page(loop):
    for name in ("c", "a", "b"):
        await loop.registry.ApplyProject(applying(project(name)))

    first = await loop.registry.ListProjects(pb.ListProjectsRequest(page_size=2))
    second = await loop.registry.ListProjects(pb.ListProjectsRequest(page_size=2, page_token=first.next_page_token))

    assert [p.project_id for p in first.projects] == ["a", "b"]
    assert [p.project_id for p in second.projects] == ["c"]
    assert second.next_page_token == ""
    one = await loop.registry.GetProject(pb.GetProjectRequest(project_id="b"))
    assert one.project == first.projects[1]


@pytest.mark.parametrize("paging", [{"page_size": -1}, {"page_token": "nonsense"}, {"page_token": "YWZ0ZXI6"}])
async def test_wrong_paging_is_refused(loop, paging):
    await loop.registry.ApplyProject(applying(project()))

    async with refused(InvalidInput, "INVALID_INPUT"):
        await loop.registry.ListProjects(pb.ListProjectsRequest(**paging))
    async with refused(InvalidInput, "INVALID_INPUT"):
        await loop.registry.ListModelVersions(pb.ListModelVersionsRequest(project_id="fashion", **paging))


async def test_a_project_is_paused_once_and_resumed(loop):
    await loop.registry.ApplyProject(applying(project()))
    pause = pb.PauseProjectRequest(project_id="fashion", reason="new camera", request_id=new_id())

    paused = (await loop.registry.PauseProject(pause)).project
    replayed = (await loop.registry.PauseProject(pause)).project
    pause.request_id = new_id()
    again = (await loop.registry.PauseProject(pause)).project
    resume = pb.ResumeProjectRequest(project_id="fashion", reason="it works", request_id=new_id())
    resumed = (await loop.registry.ResumeProject(resume)).project
    assert (await loop.registry.ResumeProject(resume)).project == resumed

    assert (paused.state, paused.revision) == (Project.STATE_PAUSED, 2)
    assert paused == replayed == again
    assert (resumed.state, resumed.revision) == (Project.STATE_ACTIVE, 3)
    events = await collect(loop.kafka, ProjectApplied, 3)
    assert [e.message.reason for e in events] == ["", "new camera", "it works"]


async def test_pausing_needs_a_project_and_a_reason(loop):
    await loop.registry.ApplyProject(applying(project()))
    for call, request in (
        (loop.registry.PauseProject, pb.PauseProjectRequest),
        (loop.registry.ResumeProject, pb.ResumeProjectRequest),
    ):
        async with refused(NotFound, "PROJECT_NOT_FOUND"):
            await call(request(project_id="nobody", reason="x", request_id=new_id()))
        async with refused(InvalidInput, "REASON_MISSING"):
            await call(request(project_id="fashion", reason=" ", request_id=new_id()))


async def test_what_does_not_exist_is_not_found(loop):
    async with refused(NotFound, "PROJECT_NOT_FOUND"):
        await loop.registry.GetProject(pb.GetProjectRequest(project_id="nobody"))
    async with refused(NotFound, "MODEL_VERSION_NOT_FOUND"):
        await loop.registry.GetModelVersion(pb.GetModelVersionRequest(model_version_id="nobody/model/1"))
    async with refused(NotFound, "PROJECT_NOT_FOUND"):
        await loop.registry.ListModelVersions(pb.ListModelVersionsRequest(project_id="nobody"))
    async with refused(NotFound, "ID_NOT_FOUND"):
        await loop.registry.Trace(pb.TraceRequest(id="nobody"))
    async with refused(NotFound, "PROJECT_NOT_FOUND"):
        await loop.registry.Why(pb.WhyRequest(project_id="nobody"))


async def test_what_can_not_be_asked_is_refused(loop):
    await loop.registry.ApplyProject(applying(project()))

    async with refused(InvalidInput, "INVALID_INPUT"):
        await loop.registry.Trace(pb.TraceRequest(id="x", max_nodes=-1))
    async with refused(InvalidInput, "INVALID_INPUT"):
        await loop.registry.Trace(pb.TraceRequest(id="a\0b"))
    async with refused(InvalidInput, "INVALID_INPUT"):
        await loop.registry.PauseProject(
            pb.PauseProjectRequest(project_id="fashion\0", reason="x", request_id=new_id())
        )


async def test_versions_are_listed_newest_first_page_by_page(loop):
    await loop.champion()
    await loop.study(right=60)
    await loop.judged(2)

    first = await loop.registry.ListModelVersions(pb.ListModelVersionsRequest(project_id="fashion", page_size=1))
    second = await loop.registry.ListModelVersions(
        pb.ListModelVersionsRequest(project_id="fashion", page_size=1, page_token=first.next_page_token)
    )

    (newest,), (oldest,) = first.statuses, second.statuses
    assert [newest.model_version.number, oldest.model_version.number] == [2, 1]
    assert second.next_page_token == ""
    assert newest.standing.startswith("rejected: worse than the champion")
    assert [j.step for j in newest.judgements] == [1]
    one = await loop.registry.GetModelVersion(pb.GetModelVersionRequest(model_version_id="fashion/model/2"))
    assert one.status == newest


async def test_a_promotion_says_why_and_is_told_once(loop):
    await loop.champion()
    await loop.study(right=60)
    await loop.judged(2)
    request = pb.PromoteModelVersionRequest(model_version_id="fashion/model/2", reason="trust me", request_id=new_id())

    first = await loop.registry.PromoteModelVersion(request)
    again = await loop.registry.PromoteModelVersion(request)

    assert first == again
    assert len((await loop.status(2)).judgements) == 2
    async with refused(InvalidInput, "REASON_MISSING"):
        await loop.registry.PromoteModelVersion(
            pb.PromoteModelVersionRequest(model_version_id="fashion/model/2", request_id=new_id())
        )


async def test_what_can_not_be_promoted_says_why(loop):
    await loop.champion()
    await loop.study()
    await loop.judged(2)
    await loop.route(2, champion=1, challenger=2, how="canary")
    await loop.stands(2, "is in the canary")
    async with refused(WrongState, "ALREADY_IN_CANARY"):
        await loop.registry.PromoteModelVersion(promoting("fashion/model/2"))
    await loop.route(3, champion=1, how="rolled back", left=2, barred=[2])
    await loop.study()
    await loop.judged(3)

    for version, kind, reason in (
        ("fashion/model/1", WrongState, "ALREADY_CHAMPION"),
        ("fashion/model/2", WrongState, "VERSION_BARRED"),
        ("fashion/model/9", NotFound, "MODEL_VERSION_NOT_FOUND"),
    ):
        async with refused(kind, reason):
            await loop.registry.PromoteModelVersion(promoting(version))


async def test_only_engineers_change_projects(loop, tokens):
    annotator = channel(loop.service.address, token=tokens.of("annotator"))
    stranger = channel(loop.service.address, token="not a token of ours")
    try:
        async with refused(PermissionDenied, "PERMISSION_DENIED"):
            await RegistryServiceStub(annotator).ApplyProject(applying(project()))
        with pytest.raises(Unauthenticated):
            async with translated("registry"):
                await RegistryServiceStub(stranger).ListProjects(pb.ListProjectsRequest())
        await RegistryServiceStub(annotator).ListProjects(pb.ListProjectsRequest())
    finally:
        await annotator.close()
        await stranger.close()
