"""A service with the least to do: each event becomes one row and one event, or a batch of them its rows."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from pydantic_settings import SettingsConfigDict

from relearn.monitoring.v1.events_pb2 import ShadowCompared, WindowClosed
from relearn_runtime import Batch, Event, NewId, Now, RuntimeConfig, Service, Store, Transaction, database, run

_ROWS = sa.table("ledger", sa.column("number", sa.BigInteger))


class Config(RuntimeConfig):
    """Settings, read from BENCH_*."""

    model_config = SettingsConfigDict(env_prefix="BENCH_", frozen=True)

    batch: bool = False


async def on_shadow_compared(event: Event[ShadowCompared], tx: Transaction) -> None:
    """One row, one event."""
    await tx.connection.execute(sa.insert(_ROWS), [{"number": event.message.pairs}])
    await tx.outbox.add(WindowClosed(project_id=event.message.project_id), cause=event)


async def on_batch(events: Sequence[Event[ShadowCompared]], tx: Transaction) -> None:
    """One row an event."""
    await tx.connection.execute(sa.insert(_ROWS), [{"number": event.message.pairs} for event in events])


def build(config: Config, *, new_id: NewId, now: Now) -> Service:
    """The service; its tables are made by the benchmark."""
    return Service(
        name="bench",
        config=config,
        store=Store(database(config.database_url), Transaction),
        handlers={} if config.batch else {ShadowCompared: on_shadow_compared},
        batches=[Batch(ShadowCompared, on_batch)] if config.batch else [],
    )


if __name__ == "__main__":
    run("bench", Config, build)
