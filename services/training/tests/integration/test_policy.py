import grpc
import pytest
from training_world import NAME, project, reason_of, samples

from relearn.datasets.v1.events_pb2 import VersionCommitted
from relearn.registry.v1.project_pb2 import REGION_KIND_BOX
from relearn.training.v1 import training_service_pb2 as pb
from relearn.training.v1.events_pb2 import StudySkipped, StudyStarted
from relearn.training.v1.study_pb2 import Study
from relearn_runtime import new_id
from relearn_runtime.testing import NotInTime, collect, eventually, publish

FEW = [*samples(10, "train"), *samples(40, "validation")]
ENOUGH = [*samples(60, "train"), *samples(30, "validation")]


async def test_a_version_that_starts_nothing_says_why_once(training):
    await training.apply(project())
    event_id = await training.commit(1, FEW, id=new_id())
    await training.committed(training.datasets.versions[f"{NAME}/data/1"], id=event_id)
    await training.commit(2, FEW)

    skipped = await collect(training.kafka, StudySkipped, 2)

    assert [event.message.dataset_version_id for event in skipped] == [f"{NAME}/data/1", f"{NAME}/data/2"]
    assert {event.message.reason for event in skipped} == {"TOO_FEW_LABELS"}
    assert "10 of 60 train labels" in skipped[0].message.detail
    assert skipped[0].causes == (event_id,)
    with pytest.raises(NotInTime):
        await collect(training.kafka, StudySkipped, 3, 1.0)


async def test_a_redelivered_version_starts_one_study(training):
    await training.apply(project())
    event_id = await training.commit(1, ENOUGH)
    await training.committed(training.datasets.versions[f"{NAME}/data/1"], id=event_id)
    await training.committed(training.datasets.versions[f"{NAME}/data/1"])

    await collect(training.kafka, StudyStarted, 1)

    skipped = (await collect(training.kafka, StudySkipped, 1))[0]
    assert skipped.message.reason == "STUDY_RUNNING"
    assert await training.sql("select count(*) from studies") == [(1,)]


async def test_a_paused_project_starts_nothing_until_it_is_resumed(training):
    await training.apply(project(paused=True))
    await training.commit(1, ENOUGH)
    skipped = (await collect(training.kafka, StudySkipped, 1))[0]
    assert skipped.message.reason == "PAUSED"
    assert (await training.waits_for())[0].needs_person

    await training.apply(project(revision=2))

    started = (await collect(training.kafka, StudyStarted, 1))[0]
    assert started.message.study.project_revision == 2
    assert started.message.study.dataset_version_id == f"{NAME}/data/1"


async def test_a_project_of_regions_is_never_trained_on_and_says_so(training):
    boxes = project()
    boxes.label_set.region_kinds.append(REGION_KIND_BOX)
    await training.apply(boxes)
    assert "labeled and versioned only" in (await training.waits_for())[0].waits_for

    await training.commit(1, ENOUGH)

    skipped = (await collect(training.kafka, StudySkipped, 1))[0]
    assert skipped.message.reason == "UNSUPPORTED"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await training.stub().StartStudy(training.start_request())
    assert reason_of(refused.value) == (grpc.StatusCode.FAILED_PRECONDITION, "UNSUPPORTED")


async def test_a_version_of_a_project_that_is_not_known_yet_waits_for_it(training):
    await training.commit(1, ENOUGH)
    await eventually(lambda: waiting_events(training))

    await training.apply(project())

    await collect(training.kafka, StudyStarted, 1)


async def test_a_route_to_a_model_version_that_is_not_known_yet_waits_for_it(training):
    await training.apply(project())
    await training.route(f"{NAME}/model/1", revision=1)
    await eventually(lambda: waiting_events(training))

    champion = await training.register(1)

    await eventually(lambda: serves(training, champion))


async def test_a_person_starts_a_study_and_a_repeated_request_starts_no_second(training):
    await training.apply(project(new_labels=1000))
    training.datasets.commit(1, ENOUGH)
    request = training.start_request(dataset_version_id=f"{NAME}/data/1")

    first = await training.stub().StartStudy(request)
    again = await training.stub().StartStudy(request)

    assert first == again
    assert first.study.trigger == Study.TRIGGER_MANUAL
    assert (first.study.person, first.study.reason) == ("test-engineer", "a test")
    found = await training.stub().GetStudy(pb.GetStudyRequest(study_id=first.study.study_id))
    assert found.study.study_id == first.study.study_id
    listed = await training.stub().ListStudies(pb.ListStudiesRequest(project_id=NAME))
    assert [study.study_id for study in listed.studies] == [first.study.study_id]
    assert await training.sql("select count(*) from studies") == [(1,)]


async def test_each_refusal_of_start_study_has_its_reason(training):
    async def refused(**values) -> tuple[grpc.StatusCode, str]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await training.stub(values.pop("role", "engineer")).StartStudy(training.start_request(**values))
        return reason_of(caught.value)

    assert await refused() == (grpc.StatusCode.NOT_FOUND, "PROJECT_NOT_FOUND")
    await training.apply(project())
    assert await refused() == (grpc.StatusCode.FAILED_PRECONDITION, "TOO_FEW_LABELS")
    assert await refused(reason="x" * 1001) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_INPUT")
    assert await refused(reason=" ") == (grpc.StatusCode.INVALID_ARGUMENT, "REASON_MISSING")
    assert await refused(request_id="x") == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST_ID")
    assert await refused(role="annotator") == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
    not_found = (grpc.StatusCode.NOT_FOUND, "DATASET_VERSION_NOT_FOUND")
    assert await refused(dataset_version_id=f"{NAME}/data/9") == not_found
    assert await refused(dataset_version_id="other/data/1") == not_found
    await training.apply(project(revision=2, paused=True))
    training.datasets.commit(1, ENOUGH)
    named = {"dataset_version_id": f"{NAME}/data/1"}
    assert await refused(**named) == (grpc.StatusCode.FAILED_PRECONDITION, "PROJECT_PAUSED")
    await training.apply(project(revision=3))
    await training.stub().StartStudy(training.start_request(**named))
    assert await refused(**named) == (grpc.StatusCode.FAILED_PRECONDITION, "STUDY_RUNNING")


async def test_unknown_studies_and_bad_pages_are_refused(training):
    await training.apply(project())
    stub = training.stub()

    with pytest.raises(grpc.aio.AioRpcError) as missing:
        await stub.GetStudy(pb.GetStudyRequest(study_id="nobody"))
    with pytest.raises(grpc.aio.AioRpcError) as unreadable:
        await stub.ListStudies(pb.ListStudiesRequest(project_id=NAME, page_token="???"))

    assert reason_of(missing.value) == (grpc.StatusCode.NOT_FOUND, "STUDY_NOT_FOUND")
    assert unreadable.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_version_without_a_number_is_parked(training):
    await training.apply(project())
    broken = VersionCommitted(project_id=NAME)
    broken.dataset_version.project_id = NAME

    await publish(training.kafka, broken)

    async def parked() -> list[tuple[str, ...]]:
        return await training.sql("select reason from parked where state = 'parked'")

    assert await eventually(parked) == [("INVALID_INPUT",)]


async def serves(world, champion) -> bool:
    return await world.sql("select champion from situations") == [(champion,)]


async def waiting_events(world) -> bool:
    return bool(await world.sql("select 1 from parked where state = 'waiting'"))
