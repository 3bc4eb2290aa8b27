"""Asks services how they are, in the standard gRPC way."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from relearn_local.stack import ProcessReport

SERVING, DONE = "serving", "done"
READY = (SERVING, DONE)


def of(process: ProcessReport, *, timeout_s: float = 1.0) -> str:
    """`serving` or `done`, else in a word or two why not; what answers no health checks serves when it runs."""
    if process.state != "running":
        return process.state
    if not process.serves_health or process.address is None:
        return SERVING
    with grpc.insecure_channel(process.address) as channel:
        try:
            check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]  # set when it is made
            answer = check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
        except grpc.RpcError as error:
            return f"no answer ({error.code().name.lower().replace('_', ' ')})"
    name: str = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return name.lower().replace("_", " ")
