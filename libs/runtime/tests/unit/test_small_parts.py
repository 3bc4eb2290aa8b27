"""Backlog, tokens, logs, telemetry, settings, jobs: the parts that need no server."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from pydantic_settings import SettingsConfigDict

from relearn_runtime import Job, ProcessConfig, RuntimeConfig, Service, logs, run, telemetry
from relearn_runtime.backlog import Backlog
from relearn_runtime.backoff import ATTEMPTS, Tries
from relearn_runtime.callers import Caller
from relearn_runtime.envelope import Record
from relearn_runtime.jobs import keep_running
from relearn_runtime.tokens import TokenFileError, Tokens


def record(offset: int, size: int = 10) -> Record:
    return Record(topic="t", key=b"k", value=b"x" * size, headers=(), partition=0, offset=offset)


def test_a_backlog_keeps_order_and_drops_nothing():
    backlog = Backlog()
    backlog.extend([record(0), record(1)])
    backlog.extend([record(1), record(5)])

    assert backlog.first() == record(0)
    assert [r.offset for r in backlog.take(3)] == [0, 1, 1]
    assert [r.offset for r in backlog.take(10)] == [5]
    assert backlog.first() is None


def test_a_backlog_is_full_by_records_or_by_bytes():
    many, large = Backlog(), Backlog()
    many.extend([record(offset) for offset in range(1001)])
    large.extend([record(offset, size=900_000) for offset in range(19)])

    assert many.full
    assert large.full
    many.take(800)
    large.take(16)
    assert many.low
    assert large.low


def tokens_file(path: Path, role: str = "engineer") -> Path:
    digest = "a665a45920422f9d417e4867efdc4fb8a04a1f3fff1fa07e998e86f7f7a27ae3"  # of "123"
    path.write_text(json.dumps({"tokens": [{"sha256": digest, "subject": "ada", "role": role}]}))
    return path


def test_a_token_is_known_by_its_hash(tmp_path):
    tokens = Tokens(tokens_file(tmp_path / "tokens.json"))

    assert tokens.bearer("123") == Caller(subject="ada", role="engineer")
    assert tokens.bearer("124") is None
    assert tokens.bearer("") is None


def test_a_changed_file_counts_and_a_broken_one_does_not(tmp_path, caplog):
    path = tokens_file(tmp_path / "tokens.json")
    tokens = Tokens(path)

    path.write_text("{")
    assert tokens.bearer("123") is not None
    assert "broken" in caplog.text
    path.write_text('{"tokens": []}')
    assert tokens.bearer("123") is None


def test_a_missing_file_or_unknown_role_stops_the_start(tmp_path):
    with pytest.raises(TokenFileError, match=r"none\.json"):
        Tokens(tmp_path / "none.json")
    with pytest.raises(TokenFileError, match="emperor"):
        Tokens(tokens_file(tmp_path / "tokens.json", role="emperor"))


def test_a_log_line_is_json_with_what_is_bound():
    formatter = logs.JsonFormatter("labeling")
    made = logging.LogRecord("relearn_labeling.x", logging.INFO, "", 0, "label task opened", None, None)
    made.label_task_id = "t1"

    with logs.bound(topic="a", offset=3), telemetry.span("s", kind=SpanKind.INTERNAL):
        line = json.loads(formatter.format(made))

    assert line["service"] == "labeling"
    assert line["event"] == "label task opened"
    assert (line["topic"], line["offset"], line["label_task_id"]) == ("a", 3, "t1")
    assert len(line["trace_id"]) == 32


def test_without_a_collector_a_trace_id_still_travels():
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

    with telemetry.span("process", kind=SpanKind.CONSUMER, parent=parent):
        inside = telemetry.current_traceparent()

    assert inside is not None
    assert inside.split("-")[1] == "0af7651916cd43dd8448eb211c80319c"
    assert inside.split("-")[2] != "b7ad6b7169203331"
    assert telemetry.current_traceparent() is None


def test_with_a_collector_spans_are_children_and_link_to_causes():
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry.record_with(provider)
    try:
        cause = "00-11111111111111111111111111111111-2222222222222222-01"
        telemetry.remember("cause-1", cause)
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        with telemetry.span("process", kind=SpanKind.CONSUMER, parent=parent, links=[cause]):
            telemetry.link_causes(["cause-1", "never-met"])
    finally:
        telemetry.shutdown()

    (span,) = exporter.get_finished_spans()
    assert span.parent is not None
    assert f"{span.parent.span_id:x}" == "b7ad6b7169203331"
    assert [f"{link.context.trace_id:x}" for link in span.links] == ["1" * 32, "1" * 32]


class Config(RuntimeConfig):
    model_config = SettingsConfigDict(env_prefix="NOWHERE_", frozen=True)


def test_bad_settings_are_named_and_stop_the_process(monkeypatch, capsys):
    monkeypatch.setenv("NOWHERE_LISTEN_ADDRESS", "7010")
    monkeypatch.setenv("NOWHERE_TOKEN", "do-not-show")

    with pytest.raises(SystemExit) as stopped:
        run("nowhere", Config, lambda *_, **__: None)

    said = capsys.readouterr().err
    assert stopped.value.code == 2
    assert "NOWHERE_DATABASE_URL: Field required" in said
    assert "NOWHERE_LISTEN_ADDRESS: Value error, must be host:port" in said
    assert "do-not-show" not in said


async def test_attempts_end_after_some_or_after_a_while(monkeypatch):
    tries = Tries(first_s=0.0, most_s=0.0)
    for _ in range(ATTEMPTS - 1):
        assert not tries.spent()
        await tries.pause()
    assert tries.spent()

    monkeypatch.setattr("relearn_runtime.backoff._IN_PLACE_S", -1.0)
    assert Tries(first_s=0.0, most_s=0.0).spent()


async def test_a_process_without_parts_that_could_end_does_not_fail(tmp_path):
    tokens = tmp_path / "tokens.json"
    tokens.write_text('{"tokens": []}')
    addresses = {"listen_address": "127.0.0.1:0", "metrics_address": "127.0.0.1:0"}
    config = ProcessConfig(tokens_file=tokens, **addresses)
    service = Service(name="gateway", config=config)

    failing = asyncio.create_task(service.fails())
    await asyncio.sleep(0)

    assert not failing.done()
    failing.cancel()


class Door:
    """Notes what happens to it, and what the service's gRPC side did at that moment."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.fails = asyncio.Event()
        self.service: Service | None = None

    async def start(self) -> None:
        assert self.service is not None
        self.heard.append(f"start beside {self.service.address.rpartition(':')[0]}")

    async def run(self) -> None:
        await self.fails.wait()
        raise ZeroDivisionError("the door fell off")

    async def stop(self, grace_s: float) -> None:
        self.heard.append(f"stop within {grace_s:g}")


async def test_a_door_opens_when_grpc_listens_is_stopped_with_the_service_and_its_end_is_the_service_s(tmp_path):
    tokens = tmp_path / "tokens.json"
    tokens.write_text('{"tokens": []}')
    addresses = {"listen_address": "127.0.0.1:0", "metrics_address": "127.0.0.1:0"}
    door = Door()
    config = ProcessConfig(tokens_file=tokens, drain_timeout_s=3, **addresses)
    door.service = service = Service(name="console", config=config, doors=[door])

    await service.start()
    door.fails.set()
    with pytest.raises(ZeroDivisionError, match="fell off"):
        async with asyncio.timeout(60):
            await service.fails()
    await service.stop()

    assert door.heard == ["start beside 127.0.0.1", "stop within 3"]


async def test_a_job_goes_on_after_an_error():
    passes: list[int] = []

    async def work() -> None:
        passes.append(len(passes))
        if len(passes) == 1:
            raise ZeroDivisionError("the first pass fails")

    await _until_passes(passes, 2, Job(name="j", run=work, every_s=0.01))


async def test_a_job_is_woken_out_of_its_pause():
    passes: list[int] = []
    wake = asyncio.Event()

    async def work() -> None:
        passes.append(len(passes))
        if len(passes) == 1:
            asyncio.get_running_loop().call_soon(wake.set)

    await _until_passes(passes, 2, Job(name="j", run=work, every_s=3600.0, wake=wake))


async def _until_passes(passes: list[int], count: int, job: Job) -> None:
    task = asyncio.create_task(keep_running(job))
    async with asyncio.timeout(60):
        while len(passes) < count:
            await asyncio.sleep(0.005)
    task.cancel()


def test_importing_the_runtime_brings_no_exporter_and_no_heavy_library():
    import subprocess

    heavy = ["opentelemetry.sdk", "torch", "numpy", "polars"]
    code = f"import sys, relearn_runtime; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
