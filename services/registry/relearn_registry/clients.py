"""Calls to the other services: what each waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from relearn.operations.v1.operations_service_pb2 import GetWaitingRequest
from relearn.operations.v1.operations_service_pb2_grpc import OperationsServiceStub
from relearn_runtime import Waiting, channel
from relearn_runtime.errors import NotFound, RelearnError
from relearn_runtime.rpc_errors import translated


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one service said; `problem` when it did not."""

    service: str
    waiting: tuple[Waiting, ...] = ()
    problem: str = ""


class OtherServices:
    """The services that `Why` asks, in the order of the loop."""

    def __init__(self, addresses: Mapping[str, str], *, token: SecretStr, deadline_s: float) -> None:
        self._channels = {
            name: channel(address, token=token, deadline_s=deadline_s) for name, address in addresses.items()
        }
        self._deadline_s = deadline_s

    async def waiting(self, project_id: str) -> list[Answer]:
        """Everybody's answer; takes no longer than the deadline of one."""
        return list(await asyncio.gather(*(self._ask(name, project_id) for name in self._channels)))

    async def close(self) -> None:
        """Closes the connections."""
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    async def _ask(self, service: str, project_id: str) -> Answer:
        stub: Any = OperationsServiceStub(self._channels[service])
        request = GetWaitingRequest(project_id=project_id)
        try:
            async with translated(service), asyncio.timeout(self._deadline_s + 0.2):
                response = await stub.GetWaiting(request, timeout=self._deadline_s)
        except NotFound:
            unheard = Waiting(stage="project", waits_for=f"has not heard of {project_id} yet")
            return Answer(service=service, waiting=(unheard,))
        except (RelearnError, TimeoutError) as error:
            return Answer(service=service, problem=str(error) or f"no answer within {self._deadline_s:g} s")
        lines = tuple(
            Waiting(
                stage=w.stage,
                waits_for=w.waits_for,
                needs_person=w.needs_person,
                progress=w.progress if w.HasField("progress") else None,
            )
            for w in response.waiting
        )
        return Answer(service=service, waiting=lines)
