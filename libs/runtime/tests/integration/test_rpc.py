"""gRPC over a socket: permissions, errors, health, reflection, parked events by RPC."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import grpc
import pytest
from events import applied, compared
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from relearn.monitoring.v1 import monitoring_service_pb2 as monitoring
from relearn.monitoring.v1.monitoring_service_pb2_grpc import MonitoringServiceStub
from relearn.operations.v1 import operations_service_pb2 as operations
from relearn.operations.v1.operations_service_pb2_grpc import OperationsServiceStub
from relearn_runtime import channel, metrics
from relearn_runtime.errors import (
    DependencyUnavailable,
    InvalidInput,
    NotFound,
    PermissionDenied,
    StaleWrite,
    Unauthenticated,
    WrongState,
)
from relearn_runtime.rpc_errors import translated
from relearn_runtime.testing import eventually, publish


@pytest.fixture
async def service(start: Any) -> Any:
    return await start()


@pytest.fixture
async def engineer(service: Any, tokens: Any) -> AsyncIterator[grpc.aio.Channel]:
    async with channel(service.address, token=tokens.of("engineer"), deadline_s=60) as opened:
        yield opened


def ask(project_id: str) -> monitoring.GetMonitoringRequest:
    return monitoring.GetMonitoringRequest(project_id=project_id)


async def test_a_caller_is_known_by_its_token(engineer: Any) -> None:
    answer = await MonitoringServiceStub(engineer).GetMonitoring(ask("anyone"))

    assert answer.versions[0].model_version_id == "test-engineer"


async def test_without_token_or_role_a_call_is_refused(service: Any, tokens: Any) -> None:
    for token, expected in (
        ("", Unauthenticated),
        ("wrong", Unauthenticated),
        (tokens.of("annotator"), PermissionDenied),
    ):
        async with channel(service.address, token=token, deadline_s=60) as opened:
            with pytest.raises(expected):
                async with translated("ledger"):
                    await MonitoringServiceStub(opened).GetMonitoring(ask("anyone"))


async def test_a_token_added_or_removed_counts_at_once(service: Any, tokens: Any) -> None:
    added = tokens.add(subject="ada", role="engineer")
    async with channel(service.address, token=added, deadline_s=60) as opened:
        stub = MonitoringServiceStub(opened)
        assert (await stub.GetMonitoring(ask("anyone"))).versions[0].model_version_id == "ada"

        content = json.loads(tokens.path.read_text())
        tokens.path.write_text(json.dumps({"tokens": [t for t in content["tokens"] if t["subject"] != "ada"]}))

        with pytest.raises(Unauthenticated):
            async with translated("ledger"):
                await stub.GetMonitoring(ask("anyone"))
        tokens.path.write_text("half a fi")
        async with channel(service.address, token=tokens.of("engineer"), deadline_s=60) as other:
            await MonitoringServiceStub(other).GetMonitoring(ask("anyone"))


@pytest.mark.parametrize(
    ("project_id", "expected", "reason"),
    [
        ("invalid", InvalidInput, "WRONG_NUMBER"),
        ("nobody", NotFound, "PROJECT_NOT_FOUND"),
        ("stale", StaleWrite, "STALE_WRITE"),
    ],
)
async def test_errors_keep_their_class_and_reason(engineer: Any, project_id: str, expected: Any, reason: str) -> None:
    with pytest.raises(expected) as caught:
        async with translated("ledger"):
            await MonitoringServiceStub(engineer).GetMonitoring(ask(project_id))

    assert caught.value.reason == reason


async def test_a_bug_shows_a_trace_id_and_nothing_else(engineer: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await MonitoringServiceStub(engineer).GetMonitoring(ask("bug"))

    error = caught.value
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(error)
    details = dict(iter(error.trailing_metadata()))["grpc-status-details-bin"]
    info = error_details_pb2.ErrorInfo()
    status_pb2.Status.FromString(details).details[0].Unpack(info)
    assert len(info.metadata["trace_id"]) == 32
    assert info.domain == "labeling.relearn"


async def test_a_call_ends_at_its_deadline(service: Any, tokens: Any) -> None:
    before = _counted("CANCELLED")
    async with channel(service.address, token=tokens.of("engineer"), deadline_s=1.0) as opened:
        stub = MonitoringServiceStub(opened)
        await stub.GetMonitoring(ask("anyone"), timeout=60)  # so that the deadline is not spent on connecting
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetMonitoring(ask("slow"))

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await eventually(lambda: _counted("CANCELLED") > before)


async def test_a_call_longer_than_the_server_allows_is_ended(start: Any, tokens: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("relearn_runtime.service._CALL_LIMIT_S", 0.2)
    service = await start()
    async with channel(service.address, token=tokens.of("engineer"), deadline_s=60) as opened:
        with pytest.raises(DependencyUnavailable) as caught:
            async with translated("ledger"):
                await MonitoringServiceStub(opened).GetMonitoring(ask("slow"))

    assert caught.value.reason == "CALL_TOO_LONG"


def _counted(code: str) -> float:
    method = "/relearn.monitoring.v1.MonitoringService/GetMonitoring"
    found = {(s.labels["method"], s.labels["code"]): s.value for m in metrics.RPC_DURATION.collect() for s in m.samples}
    return found.get((method, code), 0.0)


async def test_health_and_reflection_need_no_token(service: Any) -> None:
    async with grpc.aio.insecure_channel(service.address) as opened:
        for name in ("", "relearn.monitoring.v1.MonitoringService"):
            answer = await health_pb2_grpc.HealthStub(opened).Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        calls = reflection_pb2_grpc.ServerReflectionStub(opened).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        )
        async for answer in calls:
            names = {found.name for found in answer.list_services_response.service}
    assert {"relearn.monitoring.v1.MonitoringService", "relearn.operations.v1.OperationsService"} <= names


async def test_what_is_implemented_but_unknown_is_unimplemented(engineer: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await MonitoringServiceStub(engineer).ListAlerts(monitoring.ListAlertsRequest())

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_waiting_is_told(engineer: Any) -> None:
    answer = await OperationsServiceStub(engineer).GetWaiting(operations.GetWaitingRequest(project_id="p"))

    assert [(line.stage, line.waits_for, line.progress) for line in answer.waiting] == [
        ("label budget", "midnight UTC", 0.5)
    ]


async def parked(stub: Any, count: int) -> list[operations.ParkedEvent]:
    async def there() -> Any:
        found = (await stub.ListParkedEvents(operations.ListParkedEventsRequest())).parked_events
        return list(found) if len(found) == count else None

    return await eventually(there)


async def test_a_parked_event_is_shown_retried_and_dropped(engineer: Any, kafka: Any, sql: Any) -> None:
    stub = OperationsServiceStub(engineer)
    await publish(kafka, compared(1, wish="INVALID"))
    await publish(kafka, compared(2, wish="INVALID"))
    first, second = await parked(stub, 2)
    assert (first.service, first.reason, first.state) == (
        "labeling",
        "WRONG_NUMBER",
        operations.ParkedEvent.STATE_PARKED,
    )

    shown = await stub.GetParkedEvent(operations.GetParkedEventRequest(parked_event_id=first.parked_event_id))
    assert json.loads(shown.value_json)["pairs"] == "1"
    assert "ce_id" in {header.name for header in shown.headers}

    again = operations.RetryParkedEventRequest(parked_event_id=first.parked_event_id, request_id=str(uuid4()))
    with pytest.raises(WrongState) as caught:
        async with translated("ledger"):
            await stub.RetryParkedEvent(again)
    assert (caught.value.reason, caught.value.metadata["cause_reason"]) == ("STILL_FAILING", "WRONG_NUMBER")
    assert await sql("select attempts from parked order by sequence") == [(2,), (1,)]

    # the cause is mended
    healed = compared(1).SerializeToString()
    await sql("update parked set value = $1 where parked_event_id = $2", healed, first.parked_event_id)
    for _ in range(2):  # the same request_id again changes nothing
        await stub.RetryParkedEvent(again)
    assert await sql("select number from ledger") == [(1,)]

    drop = operations.DropParkedEventRequest(parked_event_id=second.parked_event_id, request_id=str(uuid4()))
    with pytest.raises(InvalidInput):
        async with translated("ledger"):
            await stub.DropParkedEvent(drop)
    drop.reason = "a test"
    for _ in range(2):
        await stub.DropParkedEvent(drop)
    assert await sql("select count(*) from parked") == [(0,)]
    with pytest.raises(NotFound):
        async with translated("ledger"):
            await stub.GetParkedEvent(operations.GetParkedEventRequest(parked_event_id="gone"))


async def test_an_event_that_waits_behind_another_is_not_retried_ahead_of_it(
    engineer: Any, kafka: Any, sql: Any
) -> None:
    stub = OperationsServiceStub(engineer)
    await publish(kafka, compared(1, wish="PROJECT:late"))
    await publish(kafka, compared(2))
    _, behind = await parked(stub, 2)
    again = operations.RetryParkedEventRequest(parked_event_id=behind.parked_event_id, request_id=str(uuid4()))

    with pytest.raises(WrongState, match="behind an earlier event") as caught:
        async with translated("ledger"):
            await stub.RetryParkedEvent(again)

    assert caught.value.reason == "STILL_FAILING"
    assert await sql("select reason, attempts from parked where parked_event_id = $1", behind.parked_event_id) == [
        ("BEHIND_ANOTHER_EVENT", 1)
    ]


async def test_parked_events_come_in_pages(engineer: Any, kafka: Any) -> None:
    stub = OperationsServiceStub(engineer)
    for number in range(5):
        await publish(kafka, compared(number, wish="INVALID"))
    await parked(stub, 5)

    numbers, token = [], ""
    for _ in range(3):
        request = operations.ListParkedEventsRequest(page_size=2, page_token=token)
        page = await stub.ListParkedEvents(request)
        numbers += [event.offset for event in page.parked_events]
        token = page.next_page_token

    assert numbers == [0, 1, 2, 3, 4]
    assert token == ""
    for request in (
        operations.ListParkedEventsRequest(page_size=-1),
        operations.ListParkedEventsRequest(page_token="?"),
    ):
        with pytest.raises(InvalidInput):
            async with translated("ledger"):
                await stub.ListParkedEvents(request)


async def test_many_parked_in_a_row_make_the_process_unhealthy_until_one_is_handled(service: Any, kafka: Any) -> None:
    async def health() -> int:
        async with grpc.aio.insecure_channel(service.address) as opened:
            return (await health_pb2_grpc.HealthStub(opened).Check(health_pb2.HealthCheckRequest())).status

    async def is_status(expected: int) -> bool:
        return await health() == expected

    for number in range(20):
        await publish(kafka, compared(number, wish="INVALID"))
    await eventually(lambda: is_status(health_pb2.HealthCheckResponse.NOT_SERVING))

    await publish(kafka, applied("p"))

    await eventually(lambda: is_status(health_pb2.HealthCheckResponse.SERVING))
