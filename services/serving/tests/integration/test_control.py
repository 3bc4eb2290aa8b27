"""ControlService over a socket, without a gateway: each error, what each change names as its cause, what was lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from relearn.monitoring.v1.alert_pb2 import Alert
from relearn.monitoring.v1.events_pb2 import AlertConfirmed
from relearn.registry.v1.model_version_pb2 import Judgement
from relearn.serving.v1.control_service_pb2 import (
    GetRoutesRequest,
    ListRouteChangesRequest,
    ReportGatewayRequest,
    RollbackRequest,
    VersionCounters,
)
from relearn.serving.v1.control_service_pb2_grpc import ControlServiceStub
from relearn.serving.v1.events_pb2 import PredictionMade, RouteChanged
from relearn.serving.v1.route_pb2 import Route
from relearn_runtime import channel, new_id
from relearn_runtime.errors import InvalidInput, NotFound, PermissionDenied, RelearnError, WrongState
from relearn_runtime.rpc_errors import translated
from relearn_runtime.testing import NotInTime, collect, eventually, publish

FIRST, SECOND, THIRD = "shop/model/1", "shop/model/2", "shop/model/3"
CANARY, CHAMPION = PredictionMade.ARM_CANARY, PredictionMade.ARM_CHAMPION


@asynccontextmanager
async def refused(kind: type[RelearnError], reason: str) -> AsyncIterator[None]:
    with pytest.raises(kind) as error:
        async with translated("control"):
            yield
    assert error.value.reason == reason


@pytest.fixture
async def report(the_loop: Any) -> AsyncIterator[Any]:
    """Reports of a gateway that the test plays."""
    gateway = channel(the_loop.control.address, token=the_loop.tokens.of("service"), deadline_s=60)
    reports = 0

    async def send(*counters: VersionCounters, **told: Any) -> Any:
        nonlocal reports
        reports += 1
        request = ReportGatewayRequest(**{"gateway_id": "g/1", "report": reports, "counters": counters, **told})
        return await ControlServiceStub(gateway).ReportGateway(request)

    yield send
    await gateway.close()


def counted(version: str, arm: PredictionMade.Arm.ValueType, predictions: int, errors: int = 0) -> VersionCounters:
    return VersionCounters(project_id="shop", model_version_id=version, arm=arm, predictions=predictions, errors=errors)


def rolling_back(project: str = "shop", reason: str = "customers complain") -> RollbackRequest:
    return RollbackRequest(project_id=project, reason=reason, request_id=new_id())


async def serving(the_loop: Any) -> None:
    await the_loop.apply()
    await the_loop.judge(FIRST)
    await the_loop.route_is(lambda route: route.revision == 1)


async def test_what_is_not_there_is_not_found(the_loop: Any) -> None:
    control = the_loop.control_stub
    for call, request in (
        (control.GetRoutes, GetRoutesRequest(project_id="nobody")),
        (control.ListRouteChanges, ListRouteChangesRequest(project_id="nobody")),
        (control.Rollback, rolling_back("nobody")),
    ):
        async with refused(NotFound, "PROJECT_NOT_FOUND"):
            await call(request)

    async with refused(InvalidInput, "INVALID_INPUT"):
        await control.GetRoutes(GetRoutesRequest(project_id="a\0b"))
    await the_loop.apply()
    await the_loop.route_is(lambda route: route.revision == 0)

    async with refused(NotFound, "ROUTE_NOT_FOUND"):
        await control.GetRoutes(GetRoutesRequest(project_id="shop"))
    async with refused(NotFound, "ROUTE_NOT_FOUND"):
        await control.Rollback(rolling_back())


async def test_a_rollback_needs_an_engineer_a_reason_and_something_to_go_back_to(the_loop: Any) -> None:
    await serving(the_loop)
    annotator = channel(the_loop.control.address, token=the_loop.tokens.of("annotator"))

    async with refused(PermissionDenied, "PERMISSION_DENIED"):
        await ControlServiceStub(annotator).Rollback(rolling_back())
    await annotator.close()
    for reason, refusal in ((" ", "REASON_MISSING"), ("x" * 2_001, "INVALID_INPUT")):
        async with refused(InvalidInput, refusal):
            await the_loop.control_stub.Rollback(rolling_back(reason=reason))
    async with refused(WrongState, "NOTHING_TO_ROLL_BACK_TO"):
        await the_loop.control_stub.Rollback(rolling_back())


async def test_changes_are_listed_page_by_page_and_wrong_paging_is_refused(the_loop: Any) -> None:
    await serving(the_loop)
    await the_loop.judge(SECOND)
    await the_loop.route_is(lambda route: route.revision == 2)
    changes = the_loop.control_stub.ListRouteChanges

    newest = await changes(ListRouteChangesRequest(project_id="shop", page_size=1))
    oldest = await changes(ListRouteChangesRequest(project_id="shop", page_token=newest.next_page_token))

    assert [change.outcome for change in newest.changes] == [RouteChanged.OUTCOME_STARTED]
    assert [change.outcome for change in oldest.changes] == [RouteChanged.OUTCOME_FIRST]
    assert oldest.next_page_token == ""
    too_large = "OTk5OTk5OTk5OTk5OTk5OTk5OTk="
    for paging in ({"page_size": -1}, {"page_token": "nonsense"}, {"page_token": too_large}):
        async with refused(InvalidInput, "INVALID_INPUT"):
            await changes(ListRouteChangesRequest(project_id="shop", **paging))


async def test_a_report_that_can_not_be_is_refused_and_what_was_lost_is_said(the_loop: Any, report: Any) -> None:
    await serving(the_loop)
    some = counted(FIRST, CHAMPION, 10)
    for counters, told in (
        ([], {"gateway_id": ""}),
        ([], {"report": 0}),
        ([counted(FIRST, CHAMPION, -1)], {}),
        ([some, some], {}),
        ([], {"dropped_predictions": -1}),
    ):
        async with refused(InvalidInput, "INVALID_INPUT"):
            await report(*counters, **told)

    await report(some, dropped_predictions=3, spooled_predictions=12, shed_shadows=4)

    said = "predictions: Kafka: 12 are in the spools of the gateways; in two days 3 were lost and 4 of shadows shed"
    assert said in await the_loop.waiting()
    async with refused(InvalidInput, "INVALID_INPUT"):
        await report(counted(FIRST, CHAMPION, 9))


async def test_each_change_names_what_let_it_happen_and_the_change_before_it(the_loop: Any, report: Any) -> None:
    await the_loop.apply()
    first = await the_loop.judge(FIRST)
    await the_loop.route_is(lambda route: route.revision == 1)
    admitted = await the_loop.judge(SECOND, step=1)
    await the_loop.route_is(lambda route: route.phase == Route.PHASE_SHADOW)
    passed = await the_loop.judge(SECOND, step=2)
    await the_loop.route_is(lambda route: route.weight_percent == 25)
    await report(counted(SECOND, CANARY, 20), counted(FIRST, CHAMPION, 60))
    await report(counted(SECOND, CANARY, 40), counted(FIRST, CHAMPION, 60))
    await the_loop.control_stub.Rollback(rolling_back())

    changes = await collect(the_loop.kafka, RouteChanged, 6)

    triggers = [(first,), (admitted,), (passed,), (), (), ()]
    before = [(), *((change.id,) for change in changes)]
    assert [change.causes for change in changes] == [
        (*trigger, *previous) for trigger, previous in zip(triggers, before, strict=False)
    ]
    assert [change.message.judgement_id for change in changes] == [
        f"{FIRST}/judgement/1",
        f"{SECOND}/judgement/1",
        f"{SECOND}/judgement/2",
        "",
        "",
        "",
    ]


async def test_an_undone_rollout_names_the_rejection_the_alert_or_the_route_it_followed(
    the_loop: Any, report: Any
) -> None:
    await serving(the_loop)
    await the_loop.judge(SECOND)
    await the_loop.route_is(lambda route: route.revision == 2)
    rejected = await the_loop.judge(SECOND, step=2, verdict=Judgement.VERDICT_REJECTED)
    await the_loop.judge(THIRD)
    await the_loop.route_is(lambda route: route.challenger_model_version_id == THIRD)
    alert = Alert(alert_id="alert-1", project_id="shop", model_version_id=THIRD, open_time=Timestamp(seconds=1))
    confirmed = await publish(the_loop.kafka, AlertConfirmed(alert=alert, project_id="shop"))
    await the_loop.route_is(lambda route: route.revision == 5)
    by_hand = await the_loop.judge(THIRD, step=2, person="ada")
    await the_loop.route_is(lambda route: route.revision == 6)

    await report(counted(THIRD, CANARY, 0, errors=50))

    changes = await collect(the_loop.kafka, RouteChanged, 7)
    ids = [change.id for change in changes]
    assert changes[2].causes == (rejected, ids[1])
    assert changes[4].causes == (confirmed, ids[3])
    assert changes[4].message.alert_id == "alert-1"
    assert changes[5].causes == (by_hand, ids[4])
    assert changes[6].causes == (ids[5],)
    assert changes[6].message.outcome == RouteChanged.OUTCOME_UNDONE


async def test_what_passed_against_another_champion_waits_for_the_gate_not_for_the_resume(
    the_loop: Any, report: Any
) -> None:
    """Pause, a pass arrives, roll back, resume: the version that waited has never met the champion of now."""
    await serving(the_loop)
    await the_loop.judge(SECOND, step=2, person="ada")
    await the_loop.route_is(lambda route: route.weight_percent == 25)
    await report(counted(SECOND, CANARY, 20), counted(FIRST, CHAMPION, 60))
    await report(counted(SECOND, CANARY, 40), counted(FIRST, CHAMPION, 60))
    await the_loop.apply(paused=True)
    await says(the_loop, "the project is paused")
    await the_loop.judge(THIRD, against=SECOND)
    await says(the_loop, f"{THIRD} waits to be started")

    await the_loop.control_stub.Rollback(rolling_back())
    await the_loop.apply()

    with pytest.raises(NotInTime):
        await the_loop.route_is(lambda route: bool(route.challenger_model_version_id), deadline_s=2)
    await the_loop.judge(THIRD, against=SECOND)  # told by a gate that has not heard of the rollback
    await the_loop.judge(THIRD)
    await the_loop.route_is(lambda route: route.challenger_model_version_id == THIRD)


async def says(the_loop: Any, text: str) -> None:
    async def found() -> bool:
        return text in await the_loop.waiting()

    await eventually(found)
