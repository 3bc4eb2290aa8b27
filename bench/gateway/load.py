"""The load client: `ghz`, which is Go and costs less than any server here; found on PATH or built once."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from tritonclient.grpc import model_config_pb2
from tritonclient.grpc import service_pb2 as oip

GHZ = "github.com/bojand/ghz/cmd/ghz@v0.93.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the client saw in one round."""

    requests: int
    errors: int
    rps: float
    p50_us: float
    p99_us: float


def ghz(folder: Path) -> Path | None:
    """The program; None where it is neither installed nor can be built."""
    if found := shutil.which("ghz"):
        return Path(found)
    built = folder / "ghz"
    if not built.exists():
        if shutil.which("go") is None:
            return None
        print(f"building {GHZ}, once", flush=True)
        subprocess.run(["go", "install", GHZ], env={**os.environ, "GOBIN": str(folder)}, check=True)
    return built


def protoset(folder: Path) -> Path:
    """The protocol's descriptors, so that the servers need no reflection."""
    files = FileDescriptorSet()
    for module in (model_config_pb2, oip):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    path = folder / "inference.protoset"
    path.write_bytes(files.SerializeToString())
    return path


def run(program: Path, protos: Path, *, port: int, request: Path, concurrency: int, seconds: float) -> Load:
    """One round, closed loop: `concurrency` requests outstanding over at most 8 connections."""
    command = [
        str(program),
        "--insecure",
        f"--protoset={protos}",
        "--call=inference.GRPCInferenceService.ModelInfer",
        f"--binary-file={request}",
        f"--concurrency={concurrency}",
        f"--connections={min(concurrency, 8)}",
        f"--duration={seconds}s",
        "--duration-stop=wait",
        "--format=json",
        f"127.0.0.1:{port}",
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    report = json.loads(ran.stdout)
    latencies = {entry["percentage"]: entry["latency"] / 1e3 for entry in report["latencyDistribution"] or ()}
    good = report["statusCodeDistribution"].get("OK", 0)
    return Load(
        requests=report["count"],
        errors=report["count"] - good,
        rps=report["rps"],
        p50_us=latencies.get(50, 0.0),
        p99_us=latencies.get(99, 0.0),
    )
