"""`relearn status` where there is no local stack: which services answer."""

from __future__ import annotations

import grpc
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc

from relearn_client.client import Relearn
from relearn_client.command.output import show_table
from relearn_client.endpoints import SERVICES

_DEADLINE_S = 2.0


def status() -> None:
    """Show which services answer; exit code 1 when one does not."""
    with Relearn() as relearn:
        relearn.endpoints.of("registry")  # where not even this is known, that is what to say
        addresses = {name: getattr(relearn.endpoints, name) for name in (*SERVICES, "gateway")}
    health = {name: _health(address) if address else "address not known" for name, address in addresses.items()}
    rows = [(name, addresses[name] or "-", answer) for name, answer in health.items()]
    show_table(("service", "address", "health"), rows, empty="")
    if any(answer != "serving" for answer in health.values()):
        raise typer.Exit(1)


def _health(address: str) -> str:
    with grpc.insecure_channel(address) as channel:
        try:
            check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]  # set when it is made
            answer = check(health_pb2.HealthCheckRequest(), timeout=_DEADLINE_S)
        except grpc.RpcError as error:
            return "does not answer" if error.code() is grpc.StatusCode.UNAVAILABLE else str(error.code().name).lower()
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status).lower().replace("_", " ")
