"""Traces across gRPC and Kafka, the metrics page, and a clean stop."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import pytest
from events import compared
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from servers import Process

from relearn.monitoring.v1 import monitoring_service_pb2 as monitoring
from relearn.monitoring.v1.events_pb2 import WindowClosed
from relearn.monitoring.v1.monitoring_service_pb2_grpc import MonitoringServiceStub
from relearn_runtime import channel, telemetry
from relearn_runtime.testing import collect, eventually, publish


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry.record_with(provider)
    yield exporter
    telemetry.shutdown()


async def test_one_trace_from_caller_through_server(start: Any, tokens: Any, spans: Any) -> None:
    service = await start()
    async with channel(service.address, token=tokens.of("engineer"), deadline_s=60) as opened:
        with telemetry.span("root", kind=SpanKind.INTERNAL):
            await MonitoringServiceStub(opened).GetMonitoring(monitoring.GetMonitoringRequest(project_id="anyone"))

    by_kind = {span.kind: span for span in spans.get_finished_spans() if "GetMonitoring" in span.name}
    client, server = by_kind[SpanKind.CLIENT], by_kind[SpanKind.SERVER]
    assert server.parent.span_id == client.context.span_id
    assert server.name == "relearn.monitoring.v1.MonitoringService/GetMonitoring"
    assert dict(server.attributes) == {
        "rpc.system": "grpc",
        "rpc.service": "relearn.monitoring.v1.MonitoringService",
        "rpc.method": "GetMonitoring",
        "rpc.grpc.status_code": 0,
    }


@pytest.mark.parametrize(
    ("project_id", "code", "server_says"), [("invalid", 3, StatusCode.UNSET), ("bug", 13, StatusCode.ERROR)]
)
async def test_a_failed_call_is_the_servers_error_only_where_the_fault_is_its_own(
    start: Any, tokens: Any, spans: Any, project_id: str, code: int, server_says: StatusCode
) -> None:
    service = await start()
    async with channel(service.address, token=tokens.of("engineer"), deadline_s=60) as opened:
        with pytest.raises(grpc.aio.AioRpcError):
            await MonitoringServiceStub(opened).GetMonitoring(monitoring.GetMonitoringRequest(project_id=project_id))

    by_kind = {span.kind: span for span in spans.get_finished_spans() if "GetMonitoring" in span.name}
    client, server = by_kind[SpanKind.CLIENT], by_kind[SpanKind.SERVER]
    assert client.attributes["rpc.grpc.status_code"] == server.attributes["rpc.grpc.status_code"] == code
    assert (client.status.status_code, server.status.status_code) == (StatusCode.ERROR, server_says)


async def test_one_trace_from_a_call_through_the_outbox_and_kafka_to_the_handler(
    start: Any, kafka: Any, tokens: Any, spans: Any
) -> None:
    service = await start()
    async with channel(service.address, token=tokens.of("engineer"), deadline_s=60) as opened:
        with telemetry.span("root", kind=SpanKind.INTERNAL):
            await MonitoringServiceStub(opened).GetMonitoring(monitoring.GetMonitoringRequest(project_id="publish"))
    (answer,) = await collect(kafka, WindowClosed, 1)

    def whole() -> Any:
        found = {span.kind: span for span in spans.get_finished_spans() if span.name != "outbox add"}
        return found if SpanKind.CONSUMER in found else None

    by_kind = await eventually(whole)
    path = [by_kind[kind] for kind in (SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.SERVER, SpanKind.CONSUMER)]
    for parent, child in pairwise(path):
        assert child.parent.span_id == parent.context.span_id, child.name
    assert {f"{span.context.trace_id:032x}" for span in path} == {answer.traceparent.split("-")[1]}


async def test_the_handler_span_is_a_child_of_the_span_that_wrote_the_event(start: Any, kafka: Any, spans: Any) -> None:
    await start()
    await publish(kafka, compared(1))

    (answer,) = await collect(kafka, WindowClosed, 1)

    def handled() -> Any:
        return [span for span in spans.get_finished_spans() if span.name == "relearn.monitoring.quality.v1 process"]

    (span,) = await eventually(handled)
    assert answer.traceparent is not None
    assert answer.traceparent.split("-")[1:3] == [f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"]


async def test_the_metrics_page_tells_what_operations_need(start: Any, kafka: Any) -> None:
    service = await start()
    await publish(kafka, compared(1))
    await publish(kafka, compared(2, wish="INVALID"))
    await collect(kafka, WindowClosed, 1)

    async def page() -> Any:
        url = f"http://{service.metrics_address}/metrics"
        text = (await asyncio.to_thread(urllib.request.urlopen, url)).read().decode()
        wanted = [
            'relearn_build_info{service="labeling"',
            'relearn_consumer_lag_messages{consumer="labeling"',
            'relearn_consumer_lag_seconds{consumer="labeling"',
            "relearn_outbox_events 0.0",
            "relearn_outbox_age_seconds 0.0",
            'relearn_parked_events{state="parked"} 1.0',
            'relearn_handler_duration_seconds_count{outcome="handled",topic="relearn.monitoring.quality.v1"}',
            'relearn_handler_duration_seconds_count{outcome="parked",topic="relearn.monitoring.quality.v1"}',
        ]
        missing = [line for line in wanted if line not in text]
        assert not missing, missing
        return True

    await eventually(page)


async def test_a_process_stops_cleanly_and_logs_json(settings: Any, kafka: Any, sql: Any, tmp_path: Path) -> None:
    process = Process(settings, tmp_path / "log")
    await publish(kafka, compared(1))
    await collect(kafka, WindowClosed, 1)
    await publish(kafka, compared(2, wish="SLEEP_SQL:1"))
    await eventually(lambda: _asleep(sql))

    code = await asyncio.to_thread(process.terminate)

    assert code == 0
    assert await sql("select number from ledger order by entry") == [(1,), (2,)]  # what was in hand was ended
    lines = [json.loads(line) for line in process.log.read_text().splitlines()]
    assert {line["service"] for line in lines} == {"labeling"}
    assert lines[-1]["event"] == "stopped"


async def _asleep(sql: Any) -> bool:
    ((count,),) = await sql("select count(*) from pg_stat_activity where wait_event = 'PgSleep'")
    return bool(count)


async def test_a_busy_port_ends_the_start_with_its_name(settings: Any, start: Any, tmp_path: Path) -> None:
    service = await start()

    process = Process(settings | {"listen_address": service.address}, tmp_path / "log")

    assert await asyncio.to_thread(process.child.wait, 60) == 3
    assert f"can't listen on {service.address}: Address already in use" in process.log.read_text()
