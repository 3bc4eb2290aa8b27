"""What the bridge costs over a direct gRPC call, and how fast media leaves, from interleaved rounds on one machine.

    python bench/console/measure.py [--rounds 3] [--seconds 2] [--out .relearn/bench/console.json]

The same two calls go straight to a labeling that answers at once, and through the console; so the difference is the
console's: HTTP, JSON both ways, and one more hop. Trust differences and CPU per call, not absolute rates.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import grpc
import psutil
from google.protobuf.json_format import MessageToJson
from rich.console import Console
from rich.table import Table

from relearn.labeling.v1 import label_task_pb2, region_pb2
from relearn.labeling.v1 import labeling_service_pb2 as pb
from relearn.labeling.v1.labeling_service_pb2_grpc import LabelingServiceStub
from relearn_console.links import Links, Target, View
from relearn_local import children, tokens
from relearn_local.ports import PortClaims, accepts

HERE = Path(__file__).parent
CONCURRENCY = (1, 8, 32)
SECRET = "0123456789abcdef0123456789abcdef"
NEXT = pb.NextTaskRequest(project_id="fashion")
SUBMIT = pb.SubmitAnnotationRequest(
    label_task_id="0c7a4ab0-8f0e-5f43-9d0f-2f3c9b1f6c11",
    request_id="6f0f4b57-6d4c-4a53-8f6e-0a2f6f0f9a10",
    regions=[
        label_task_pb2.Region(
            label="boot",
            polygon=region_pb2.Polygon(points=[region_pb2.Point(x=i + 0.25, y=2 * i + 0.5) for i in range(20)]),
        )
        for _ in range(300)
    ],
)
CALLS = {"NextTask": NEXT, "SubmitAnnotation, 300 polygons": SUBMIT}
MEDIA_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One call, one way, one load, once."""

    call: str
    way: str
    concurrency: int
    calls_per_s: float
    p50_us: float
    p99_us: float
    cpu_us: float  # of the console, a call; 0 where it is not on the way


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Where both listen."""

    labeling: str
    web: str
    console: psutil.Process
    token: str
    objects: Path


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """A labeling and a console, each a process of its own."""
    with PortClaims() as ports:
        labeling, web = (f"127.0.0.1:{ports.claim_any()}" for _ in range(2))
        token = tokens.add(folder / "tokens.json", subject="ada", role="annotator")
        settings = {
            "LISTEN_ADDRESS": "127.0.0.1:0",
            "METRICS_ADDRESS": "127.0.0.1:0",
            "WEB_ADDRESS": web,
            "SECRET": SECRET,
            "REGISTRY_ADDRESS": labeling,
            "LABELING_ADDRESS": labeling,
            "DATASETS_ADDRESS": labeling,
            "OBJECT_STORE_URL": (folder / "objects").as_uri(),
            "WORK_DIR": str(folder / "work"),
            "TOKENS_FILE": str(folder / "tokens.json"),
        }
        environment = os.environ | {f"CONSOLE_{name}": value for name, value in settings.items()}
        started = [
            children.start([sys.executable, str(HERE / "backend.py"), labeling], log=folder / "log"),
            children.start([sys.executable, "-m", "relearn_console"], log=folder / "log", environment=environment),
        ]
        try:
            wait_for([labeling, web], folder / "log")
            console = psutil.Process(started[1].pid)
            yield Running(labeling=labeling, web=web, console=console, token=token, objects=folder / "objects")
        finally:
            for child in started:
                children.stop(child, gently=signal.SIGTERM, grace_s=10)


def wait_for(addresses: list[str], log: Path) -> None:
    give_up = time.monotonic() + 30
    while not all(accepts(int(address.rpartition(":")[2])) for address in addresses):
        if time.monotonic() > give_up:
            sys.exit(f"not everything listens:\n{log.read_text()}")
        time.sleep(0.05)


async def direct(where: Running, name: str, lanes: int) -> list[Callable[[], Awaitable[object]]]:
    """One callable a lane, each a call on a channel that all share."""
    channel = grpc.aio.insecure_channel(where.labeling)
    method = getattr(LabelingServiceStub(channel), name.partition(",")[0])
    metadata = (("authorization", f"Bearer {where.token}"),)
    return [lambda: method(CALLS[name], metadata=metadata)] * lanes


async def bridged(where: Running, name: str, lanes: int) -> list[Callable[[], Awaitable[object]]]:
    """One callable a lane, each on a connection of its own, as browsers have them."""
    body = MessageToJson(CALLS[name], indent=None).encode()
    path = f"/relearn.labeling.v1.LabelingService/{name.partition(',')[0]}"
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {where.web}\r\nauthorization: Bearer {where.token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode()

    async def lane() -> Callable[[], Awaitable[object]]:
        reader, writer = await asyncio.open_connection(*where.web.split(":"))

        async def call() -> None:
            writer.write(head + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not answer.startswith(b"http/1.1 200"):
                sys.exit(answer.decode())
            await reader.readexactly(int(answer.partition(b"content-length: ")[2].partition(b"\r")[0]))

        return call

    return [await lane() for _ in range(lanes)]


async def load(where: Running, name: str, way: str, concurrency: int, seconds: float) -> Round:
    """The call over and over, by so many at a time."""
    lanes = await (direct if way == "gRPC" else bridged)(where, name, concurrency)
    await asyncio.gather(*(lane() for lane in lanes))
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def repeat(call: Callable[[], Awaitable[object]]) -> None:
        while (started := time.perf_counter()) < end:
            await call()
            took.append(time.perf_counter() - started)

    before, began = sum(where.console.cpu_times()[:2]), time.perf_counter()
    await asyncio.gather(*(repeat(lane) for lane in lanes))
    spent, passed = sum(where.console.cpu_times()[:2]) - before, time.perf_counter() - began
    ordered = sorted(took)
    return Round(
        call=name,
        way=way,
        concurrency=concurrency,
        calls_per_s=len(took) / passed,
        p50_us=statistics.median(ordered) * 1e6,
        p99_us=ordered[int(len(ordered) * 0.99)] * 1e6,
        cpu_us=spent / len(took) * 1e6 if way == "console" else 0.0,
    )


async def media_mb_per_s(where: Running) -> float:
    """A large file through a link."""
    content = os.urandom(1 << 20) * (MEDIA_BYTES >> 20)
    name = sha256(content).hexdigest()
    path = where.objects / "blobs" / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    links = Links(SECRET.encode(), valid_s=600)
    link = links.to(Target(view=View.SOURCE, sha256=name, media_type="video/mp4"), end=links.end(datetime.now(UTC)))
    reader, writer = await asyncio.open_connection(*where.web.split(":"), limit=1 << 22)
    started = time.perf_counter()
    writer.write(f"GET {link} HTTP/1.1\r\nhost: {where.web}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    received = await reader.readexactly(MEDIA_BYTES)
    passed = time.perf_counter() - started
    if received != content:
        sys.exit("the link gave other bytes")
    writer.close()
    return MEDIA_BYTES / 1e6 / passed


def shown(rounds: list[Round], media: list[float]) -> None:
    table = Table("call", "way", "at once", "calls/s", "p50 µs", "p99 µs", "console CPU µs/call")
    for key in dict.fromkeys((one.call, one.way, one.concurrency) for one in rounds):
        same = [one for one in rounds if (one.call, one.way, one.concurrency) == key]
        middle = {
            name: statistics.median(getattr(one, name) for one in same)
            for name in ("calls_per_s", "p50_us", "p99_us", "cpu_us")
        }
        table.add_row(key[0], key[1], str(key[2]), *(f"{value:,.0f}" for value in middle.values()))
    Console(width=120).print(table, f"media, one connection: {statistics.median(media):,.0f} MB/s")


async def measure(rounds: int, seconds: float) -> tuple[list[Round], list[float]]:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as where:
        found, media = [], []
        for _ in range(rounds):
            for name in CALLS:
                for concurrency in CONCURRENCY:
                    for way in ("gRPC", "console"):
                        found.append(await load(where, name, way, concurrency, seconds))
            media.append(await media_mb_per_s(where))
        return found, media


def main() -> None:
    """Measures, shows, and keeps the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--out", type=Path, default=Path(".relearn/bench/console.json"))
    arguments = parser.parse_args()
    rounds, media = asyncio.run(measure(arguments.rounds, arguments.seconds))
    shown(rounds, media)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({"rounds": [asdict(one) for one in rounds], "media_mb_per_s": media}, indent=1))


if __name__ == "__main__":
    main()
