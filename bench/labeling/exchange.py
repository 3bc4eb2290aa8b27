"""Labels in and out: `python bench/labeling/exchange.py [--records N]`.

A Kafka and a PostgreSQL (with fsync) of its own, one labeling process with its relay at work; the client is this
process. Memory is the service's own: what it has before, and the most that it had since.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from threading import Event, Thread

import grpc
import psutil
from confluent_kafka import Producer

from relearn.labeling.v1 import management_service_pb2 as pb
from relearn.labeling.v1.label_task_pb2 import Region, Whole
from relearn.labeling.v1.labeling_service_pb2 import NextTaskRequest, SubmitAnnotationRequest
from relearn.labeling.v1.labeling_service_pb2_grpc import LabelingServiceStub
from relearn.labeling.v1.management_service_pb2_grpc import ManagementServiceStub
from relearn.labeling.v1.region_pb2 import Span
from relearn.registry.v1 import project_pb2
from relearn.registry.v1.events_pb2 import ProjectApplied
from relearn_contracts.topics import all_topics
from relearn_formats import FORMATS, Options, Record, Status
from relearn_local import children, ports, topics
from relearn_local import tokens as token_file
from relearn_local.kafka import STOP_GRACE_S, Kafka
from relearn_local.postgres import Postgres
from relearn_runtime import new_id, utc_now
from relearn_runtime.envelope import encode
from relearn_runtime.kafka import producer_settings

EXPORTED = 50_000
IN_A_MESSAGE = 500
MIB = 2**20
Asking = dict[str, object]


def main() -> None:
    """Prints one line a thing that is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="plain ones; half as many with answers")
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory() as folder, labeling(Path(folder)) as (channel, asking, process):
        management = ManagementServiceStub(channel)
        begin(management, asking, "plain"), begin(management, asking, "texts")
        for name, many in (("plain", 10_000), ("plain", records), ("texts", 10_000), ("texts", records // 2)):
            bring(management, asking, process, name, many)
        bring(management, asking, process, "texts", EXPORTED)
        export(management, asking, process)
        while_annotators_work(channel, management, asking)


def bring(management: ManagementServiceStub, asking: Asking, process: psutil.Process, name: str, many: int) -> None:
    """Records that are new in one stream, with an answer each where the project is of texts."""
    before, peak, stop = memory(process), [0.0], Event()
    watching = Thread(target=watch, args=(process, peak, stop))
    watching.start()
    started, cpu_s = time.monotonic(), cpu(process)
    taken = sum(one.taken for one in management.ImportAnnotations(messages(name, many), **asking))
    took, cpu_s = time.monotonic() - started, cpu(process) - cpu_s
    stop.set()
    watching.join()
    assert taken == many, f"{taken} of {many} were taken"
    kind = "with an answer" if name == "texts" else "plain"
    held = f"{1e6 * cpu_s / many:.0f} µs of CPU each; {before:.0f} MiB before, {peak[0]:.0f} at most"
    print(f"import of {many:7} records, {kind:14}: {many / took:7.0f} a second; {held}", flush=True)


_sent = {"plain": 0, "texts": 0}


def messages(name: str, many: int) -> Iterator[pb.ImportAnnotationsRequest]:
    """Records that were not sent before."""
    answer = pb.ImportedAnswer(
        regions=[Region(label="person", region_id=f"r{n}", span=Span(start=10 * n, end=10 * n + 7)) for n in range(3)],
        annotator="ann",
    )
    first = _sent[name]
    _sent[name] += many
    for start in range(first, first + many, IN_A_MESSAGE):
        digests = [
            hashlib.sha256(f"{name} {number}".encode()).hexdigest()
            for number in range(start, min(start + IN_A_MESSAGE, first + many))
        ]
        yield pb.ImportAnnotationsRequest(
            project_id=name,
            source="bench",
            samples=[
                pb.AnnotatedSample(
                    key=digest, sample_id=f"{name}/sample/{digest}", answer=answer if name == "texts" else None
                )
                for digest in digests
            ],
        )


def export(management: ManagementServiceStub, asking: Asking, process: psutil.Process) -> None:
    """The first texts of the project with their answers, and what writing them as JSON lines takes beside it."""
    before, peak, stop = memory(process), [0.0], Event()
    watching = Thread(target=watch, args=(process, peak, stop))
    watching.start()
    started, first, tasks, size, cpu_s = time.monotonic(), 0.0, [], 0, cpu(process)
    stream = management.ExportAnnotations(pb.ExportAnnotationsRequest(project_id="texts"), **asking)
    for one in stream:
        first = first or time.monotonic() - started
        tasks += one.tasks
        size += one.ByteSize()
        if len(tasks) >= EXPORTED:
            stream.cancel()
            break
    took, cpu_s = time.monotonic() - started, cpu(process) - cpu_s
    stop.set()
    watching.join()
    print(
        f"export of {len(tasks)} texts with an answer of 3 spans: {took:.2f} s ({cpu_s:.2f} s of CPU), the first of "
        f"them after {first:.2f} s; {size / 1e6:.0f} MB; {before:.0f} MiB before, {peak[0]:.0f} at most",
        flush=True,
    )
    started = time.monotonic()
    records = (
        Record(sample=one.label_task.sample_id, status=Status.LABEL, regions=tuple(one.label.regions)) for one in tasks
    )
    files = FORMATS["jsonl"].files
    assert files is not None
    files[1](records, io.BytesIO(), Options(), print)
    print(f"written as JSON lines by the client: {time.monotonic() - started:.2f} s", flush=True)


def while_annotators_work(channel: grpc.Channel, management: ManagementServiceStub, asking: Asking) -> None:
    """What one annotator's next and submit take alone, while labels are exported, and while others are imported."""
    stop = Event()

    def out() -> None:
        stream = management.ExportAnnotations(pb.ExportAnnotationsRequest(project_id="texts"), **asking)
        while not stop.is_set() and next(stream, None) is not None:
            pass
        stream.cancel()

    def into() -> None:
        while not stop.is_set():
            list(management.ImportAnnotations(messages("texts", 2000), **asking))

    for what, beside in (("alone", None), ("beside an export", out), ("beside an import", into)):
        stop.clear()
        busy = Thread(target=beside or stop.is_set)
        busy.start()
        time.sleep(0.2)
        times = answer(LabelingServiceStub(channel), asking)
        stop.set()
        busy.join()
        p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
        print(f"next and submit {what}: p50 {p50:.1f} ms, p99 {p99:.1f} ms", flush=True)


def answer(stub: LabelingServiceStub, asking: Asking) -> list[float]:
    """Milliseconds that each of some answers took, the task before it included."""
    times = []
    for _ in range(200):
        started = time.monotonic()
        task = stub.NextTask(NextTaskRequest(project_id="plain"), **asking).label_task
        said = SubmitAnnotationRequest(
            label_task_id=task.label_task_id, regions=[Region(whole=Whole(), label="boot")], request_id=new_id()
        )
        stub.SubmitAnnotation(said, **asking)
        times.append(1000 * (time.monotonic() - started))
    return times


def begin(management: ManagementServiceStub, asking: Asking, name: str) -> None:
    """Waits until labeling knows the project."""
    while True:
        try:
            list(management.ImportAnnotations(iter([pb.ImportAnnotationsRequest(project_id=name)]), **asking))
        except grpc.RpcError:
            time.sleep(0.1)
        else:
            return


def cpu(process: psutil.Process) -> float:
    """CPU seconds of a process so far: they mean something on a machine that others use, too."""
    times = process.cpu_times()
    return float(times.user + times.system)


def memory(process: psutil.Process) -> float:
    """Its resident memory in MiB."""
    return float(process.memory_info().rss) / MIB


def watch(process: psutil.Process, peak: list[float], stop: Event) -> None:
    """Keeps the most memory that the process has until it may stop."""
    while not stop.wait(0.02):
        peak[0] = max(peak[0], memory(process))


def projects() -> Iterator[project_pb2.Project]:
    """Pictures with a class, and texts with spans."""
    label_set = project_pb2.LabelSet(version=1, classes=["boot", "bag"])
    yield project_pb2.Project(project_id="plain", revision=1, label_set=label_set)
    spans = project_pb2.LabelSet(version=1, classes=["person"], region_kinds=[project_pb2.REGION_KIND_SPAN])
    kind = project_pb2.INPUT_KIND_TEXT
    yield project_pb2.Project(project_id="texts", revision=1, input_kind=kind, label_set=spans)


@contextmanager
def labeling(folder: Path) -> Iterator[tuple[grpc.Channel, Asking, psutil.Process]]:
    """A channel to the service, what each call carries, and the service's process."""
    claims, running = ports.PortClaims(), []
    postgres = Postgres(folder=folder / "postgres", port=claims.claim_any(), password=token_hex(16), durable=True)
    kafka = Kafka(folder=folder / "kafka", port=claims.claim_any(), controller_port=claims.claim_any())
    try:
        for server in (postgres, kafka):
            server.folder.mkdir()
            server.prepare()
            running.append(children.start(server.command(), log=server.folder / "log", folder=server.folder))
        while not (postgres.is_ready() and ports.accepts(kafka.port)):
            time.sleep(0.1)
        topics.apply(all_topics(), bootstrap_servers=kafka.bootstrap_servers, prefix="")
        producer = Producer(producer_settings(kafka.bootstrap_servers, client_id="bench"))
        for project in projects():
            record = encode(ProjectApplied(project=project), id=new_id(), time=utc_now())
            producer.produce(record.topic, record.value, record.key, headers=list(record.headers or ()))
        producer.flush(10)
        port = claims.claim_any()
        environment = {
            "PATH": os.environ["PATH"],
            "LABELING_DATABASE_URL": postgres.url("postgres"),
            "LABELING_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "LABELING_LISTEN_ADDRESS": f"127.0.0.1:{port}",
            "LABELING_METRICS_ADDRESS": "127.0.0.1:0",
            "LABELING_TOKENS_FILE": str(folder / "tokens.json"),
            "LABELING_TOKEN": token_file.add(folder / "tokens.json", subject="labeling", role="service"),
        }
        token = token_file.add(folder / "tokens.json", subject="bench", role="engineer")
        command = [sys.executable, "-m", "relearn_labeling"]
        running.append(children.start(command, log=folder / "service.log", environment=environment, folder=folder))
        while not ports.accepts(port):
            time.sleep(0.1)
        asking: Asking = {"metadata": (("authorization", f"Bearer {token}"),), "timeout": 3600}
        with grpc.insecure_channel(
            f"127.0.0.1:{port}", options=[("grpc.max_receive_message_length", 32 * MIB)]
        ) as channel:
            yield channel, asking, psutil.Process(running[-1].pid)
    finally:
        stops = (signal.SIGINT, signal.SIGTERM, signal.SIGTERM)
        for child, gently in reversed([*zip(running, stops, strict=False)]):
            children.stop(child, gently=gently, grace_s=STOP_GRACE_S)
        claims.release()


if __name__ == "__main__":
    main()
