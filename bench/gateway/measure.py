"""What the gateway costs over its model, from interleaved rounds on one machine.

    python bench/gateway/measure.py [--rounds 3] [--seconds 2] [--out .relearn/bench/gateway.json]

Servers run one at a time, each in its own process, and take turns so that a busy machine is busy for all; medians
over rounds are shown. Trust ratios and CPU per request, not absolute rates. `cpu` is the server's own, user and system.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import load
import model
import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from relearn_contracts.topics import all_topics
from relearn_local import children, kafka, topics
from relearn_local.ports import PortClaims, accepts

HERE = Path(__file__).parent
CONCURRENCY = (1, 8, 32)
VARIANTS = ("null", "native", "native+tap", "native+tap+shadow", "aio", "aio+tap")
BROKER_START_S = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One server under one load once."""

    server: str
    request: str
    concurrency: int
    rps: float
    p50_us: float
    p99_us: float
    cpu_us: float
    errors: int


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """A real Kafka with the contract's topics."""
    folder.mkdir()
    with PortClaims() as ports:
        server = kafka.Kafka(folder=folder, port=ports.claim_any(), controller_port=ports.claim_any())
        server.prepare()
        child = children.start(server.command(), log=folder / "log", folder=folder)
        try:
            deadline = time.monotonic() + BROKER_START_S
            while not accepts(server.port):
                if child.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"Kafka did not start; see {folder / 'log'}")
                time.sleep(0.1)
            topics.apply(all_topics(), bootstrap_servers=server.bootstrap_servers)
            yield server.bootstrap_servers
        finally:
            children.stop(child, gently=kafka.STOP_SIGNAL, grace_s=5)


@contextmanager
def serving(variant: str, folder: Path, bootstrap_servers: str) -> Iterator[tuple[int, psutil.Process]]:
    """A server process and its port."""
    command = [sys.executable, str(HERE / "server.py"), variant, str(folder), bootstrap_servers]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            yield int(child.stdout.readline()), psutil.Process(child.pid)
        finally:
            child.stdin.close()
            child.wait(20)


def bare(folder: Path, seconds: float) -> list[Round]:
    """ONNX Runtime in a loop: what the model itself costs, by batch."""
    loaded = model.load(folder)
    rounds = []
    for batch in CONCURRENCY:
        pictures = np.zeros((batch, 1, model.SIDE, model.SIDE), np.float32)
        times, start, cpu = [], time.perf_counter(), time.process_time()
        while time.perf_counter() - start < seconds / 2:
            before = time.perf_counter()
            loaded.run(pictures)
            times.append(time.perf_counter() - before)
        done = len(times) * batch
        p50, p99 = np.percentile(times, [50, 99]) * 1e6
        cpu_us = 1e6 * (time.process_time() - cpu) / done
        rate = done / (time.perf_counter() - start)
        rounds.append(
            Round(
                server="bare",
                request="tensor",
                concurrency=batch,
                rps=rate,
                p50_us=p50,
                p99_us=p99,
                cpu_us=cpu_us,
                errors=0,
            )
        )
    return rounds


def measure(options: argparse.Namespace, program: Path, folder: Path) -> list[Round]:
    model.write(folder)
    requests = {"tensor": model.tensor_request(), "png": model.image_request()}
    for name, content in requests.items():
        (folder / name).write_bytes(content)
    protos = load.protoset(folder)
    cases = [("tensor", variant, each) for each in CONCURRENCY for variant in VARIANTS]
    cases += [("png", variant, 8) for variant in VARIANTS[1:]]
    rounds: list[Round] = []
    with broker(folder / "kafka") as bootstrap_servers:
        for number in range(options.rounds):
            rounds += bare(folder, options.seconds)
            for request, variant, concurrency in cases:
                print(f"round {number + 1}: {request} {variant} c{concurrency}   ", end="\r", flush=True)
                with serving(variant, folder, bootstrap_servers) as (port, process):
                    ask = partial(
                        load.run, program, protos, port=port, request=folder / request, concurrency=concurrency
                    )
                    ask(seconds=0.3)
                    before = process.cpu_times()
                    seen = ask(seconds=options.seconds)
                    after = process.cpu_times()
                spent = after.user + after.system - before.user - before.system
                rounds.append(
                    Round(
                        server=variant,
                        request=request,
                        concurrency=concurrency,
                        rps=seen.rps,
                        p50_us=seen.p50_us,
                        p99_us=seen.p99_us,
                        cpu_us=1e6 * spent / seen.requests,
                        errors=seen.errors,
                    )
                )
    return rounds


def medians(rounds: list[Round]) -> list[Round]:
    """One line per case; errors are added up."""
    cases = dict.fromkeys((each.request, each.concurrency, each.server) for each in rounds)
    lines = []
    for request, concurrency, server in sorted(cases, key=lambda case: (case[0] != "tensor", case[1])):
        same = [r for r in rounds if (r.request, r.concurrency, r.server) == (request, concurrency, server)]
        lines.append(
            Round(
                server=server,
                request=request,
                concurrency=concurrency,
                rps=statistics.median(r.rps for r in same),
                p50_us=statistics.median(r.p50_us for r in same),
                p99_us=statistics.median(r.p99_us for r in same),
                cpu_us=statistics.median(r.cpu_us for r in same),
                errors=sum(r.errors for r in same),
            )
        )
    return lines


COLUMNS = (
    "request",
    "outstanding",
    "server",
    "requests/s",
    "ratio",
    "p50 µs",
    "p99 µs",
    "cpu µs/request",
    "beyond null",
    "beyond model",
    "errors",
)


def show(lines: list[Round]) -> None:
    """The null handler is what HTTP/2 and the interpreter cost; the model is ONNX Runtime in a loop, one at a time."""
    table = Table(title="gateway: medians; ratio to the native front with the tap off")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("request", "server") else "right")
    reference = {(r.request, r.concurrency): r.rps for r in lines if r.server == "native"}
    null = {r.concurrency: r.cpu_us for r in lines if r.server == "null"}
    bare = next(r.cpu_us for r in lines if r.server == "bare" and r.concurrency == 1)
    for r in lines:
        own = r.server not in ("bare", "null")
        table.add_row(
            r.request,
            str(r.concurrency),
            r.server,
            f"{r.rps:,.0f}",
            f"{r.rps / reference[r.request, r.concurrency]:.2f}",
            f"{r.p50_us:,.0f}",
            f"{r.p99_us:,.0f}",
            f"{r.cpu_us:,.0f}",
            f"{r.cpu_us - null[r.concurrency]:,.0f}" if own else "",
            f"{r.cpu_us - bare:,.0f}" if own else "",
            str(r.errors),
        )
    Console(width=150).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--out", type=Path, default=Path(".relearn/bench/gateway.json"))
    options = parser.parse_args()
    options.out = options.out.absolute()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    program = load.ghz(options.out.parent)
    if program is None:
        print("bench/gateway: skipped; it needs `ghz` on PATH (https://ghz.sh), or `go` to build it")
        return
    with tempfile.TemporaryDirectory(prefix="relearn-bench-") as folder:
        rounds = measure(options, program, Path(folder))
    lines = medians(rounds)
    show(lines)
    found = {"medians": [asdict(each) for each in lines], "rounds": [asdict(each) for each in rounds]}
    options.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
