"""The service: handler, batch handler, and its RPC (monitoring's GetMonitoring, answered from the ledger)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from pydantic_settings import SettingsConfigDict

from relearn.monitoring.v1 import monitoring_service_pb2, monitoring_service_pb2_grpc
from relearn.monitoring.v1.events_pb2 import ShadowCompared, WindowClosed
from relearn.monitoring.v1.window_pb2 import Window
from relearn_runtime import (
    Batch,
    Event,
    NewId,
    Now,
    RuntimeConfig,
    Service,
    Store,
    Transaction,
    Waiting,
    caller,
    database,
)
from relearn_runtime.errors import InvalidInput, StaleWrite

chance = random.Random(11)


class Config(RuntimeConfig):
    model_config = SettingsConfigDict(env_prefix="LEDGER_", frozen=True)

    flaky: float = 0.0
    batch: bool = False


class WrongNumber(InvalidInput):
    reason = "WRONG_NUMBER"


async def write(tx: Transaction, project_id: str, number: int) -> None:
    values = {"project_id": project_id, "number": number}
    await tx.connection.execute(
        sa.text("insert into ledger (project_id, number) values (:project_id, :number)"), values
    )


async def obey(event: Event[ShadowCompared], tx: Transaction, *, flaky: float = 0.0) -> None:
    """What `stop_reason` asks for."""
    wish, _, argument = event.message.stop_reason.partition(":")
    if chance.random() < flaky:
        raise RuntimeError("flaky")
    if wish == "INVALID":
        raise WrongNumber("never acceptable", number=str(event.message.pairs))
    if wish == "BUG":
        raise ZeroDivisionError("a bug")
    if wish == "PROJECT":
        await tx.projects.get(argument)
    if wish == "SLOW":
        await asyncio.sleep(float(argument))
    if wish == "SLEEP_SQL":
        await tx.connection.execute(sa.text("select pg_sleep(:s)"), {"s": float(argument)})
    if wish == "LOCK":
        await tx.connection.execute(sa.text("select pg_advisory_xact_lock_shared(1)"))


async def on_shadow_compared(event: Event[ShadowCompared], tx: Transaction, *, flaky: float = 0.0) -> None:
    message = event.message
    await write(tx, message.project_id, message.pairs)
    await obey(event, tx, flaky=flaky)
    window = Window(window_id=f"w{message.pairs}", project_id=message.project_id, number=message.pairs)
    await tx.outbox.add(WindowClosed(window=window, project_id=message.project_id), cause=event)


async def on_batch(events: Sequence[Event[ShadowCompared]], tx: Transaction) -> None:
    for event in events:
        await obey(event, tx)
        await write(tx, event.message.project_id, event.message.pairs)


class Rpc(monitoring_service_pb2_grpc.MonitoringServiceServicer):
    def __init__(self, store: Store[Transaction]) -> None:
        self._store = store

    async def GetMonitoring(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.project_id == "bug":
            raise ZeroDivisionError("secret detail")
        if request.project_id == "invalid":
            raise WrongNumber("never acceptable", number="7")
        if request.project_id == "stale":
            raise StaleWrite("moved on")
        if request.project_id == "slow":
            await asyncio.sleep(30)
        async with self._store.transaction() as tx:
            if request.project_id == "publish":
                await tx.outbox.add(ShadowCompared(project_id="p", pairs=1))
            elif request.project_id not in ("", "anyone"):
                await tx.projects.require(request.project_id)
            count = await tx.connection.scalar(sa.text("select count(*) from ledger"))
        who = monitoring_service_pb2.WatchedVersion(model_version_id=caller(context).subject)
        return monitoring_service_pb2.GetMonitoringResponse(predictions=count, versions=[who])


async def waiting(project_id: str) -> list[Waiting]:
    return [Waiting(stage="label budget", waits_for="midnight UTC", progress=0.5)]


def build(config: Config, *, new_id: NewId, now: Now) -> Service:
    store = Store(database(config.database_url), Transaction)

    async def handler(event: Event[ShadowCompared], tx: Transaction) -> None:
        await on_shadow_compared(event, tx, flaky=config.flaky)

    descriptor = monitoring_service_pb2.DESCRIPTOR.services_by_name["MonitoringService"]
    return Service(
        name="labeling",  # listens to ProjectApplied by its topic file
        config=config,
        store=store,
        migrations="ledger_service.migrations",
        handlers={} if config.batch else {ShadowCompared: handler},
        batches=[Batch(ShadowCompared, on_batch, max_events=200)] if config.batch else [],
        servicers=[
            (monitoring_service_pb2_grpc.add_MonitoringServiceServicer_to_server, Rpc(store), descriptor),
        ],
        waiting=waiting,
    )
