"""What taking samples in costs: an import, and the put of a sample that was flagged."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import sqlalchemy as sa

from relearn.datasets.v1 import datasets_service_pb2 as pb
from relearn.monitoring.v1 import flag_pb2
from relearn.registry.v1.project_pb2 import LabelSet, Project
from relearn_datasets.clients import ObjectStorage
from relearn_datasets.content import Inspector
from relearn_datasets.importing import Importer
from relearn_datasets.rpc import DatasetsRpc
from relearn_datasets.store import Transaction
from relearn_datasets.store.bulk import copy
from relearn_media import Modality, encode_png
from relearn_runtime import Store, new_id, utc_now

SAMPLES = 4000
PUTS = 200
ROUNDS = 5
PROJECT = Project(project_id="intake", label_set=LabelSet(version=1, classes=["boot"]), revision=1)


async def measure(store: Store[Transaction]) -> None:
    """Prints one line for imports and one for puts, each beside the least that could be done, in the same rounds.

    Bytes go to a store in memory: writing thousands of small files takes what the disk's cache makes of it that moment.
    """
    objects = ObjectStorage("memory:///")
    async with store.transaction() as tx:
        known = "insert into projects (project_id, revision, body) values ('intake', 1, :body)"
        await tx.connection.execute(sa.text(known), {"body": PROJECT.SerializeToString()})
        await tx.connection.execute(sa.text("create table bare_samples (sha256 bytea primary key, label text)"))
    imports, least = [], []
    for number in range(ROUNDS):
        content = pictures(SAMPLES, seed=number)
        imports.append(await import_s(store, objects, content))
        least.append(await least_import_s(store, content))
    told(f"import of {SAMPLES} pictures", imports, "decoding them and one copy of bare rows", least)
    statements = counted(store)
    puts, rows = [], []
    rpc = DatasetsRpc(store=store, objects=objects, inspector=Inspector(), new_id=new_id, now=utc_now)
    for one in pictures(PUTS, seed=ROUNDS):
        puts.append(await put_s(rpc, one))
        rows.append(await least_put_s(store, one))
    told("put of a new flagged sample", puts, "the insert of one bare row", rows)
    print(f"statements of a put: {(len(statements) - PUTS) / PUTS:.1f}")
    objects.close()


def told(what: str, seconds: list[float], least: str, least_seconds: list[float]) -> None:
    """Prints two medians and their ratio."""
    one, other = statistics.median(seconds), statistics.median(least_seconds)
    print(f"{what}: {1000 * one:.1f} ms; {least}: {1000 * other:.1f} ms; ratio {one / other:.1f}", flush=True)


def pictures(n: int, *, seed: int) -> list[bytes]:
    """PNGs of 28 x 28 grey noise, about 870 bytes each."""
    draw = np.random.default_rng(seed)
    return [encode_png(draw.integers(0, 256, size=(28, 28, 1), dtype=np.uint8)) for _ in range(n)]


def counted(store: Store[Transaction]) -> list[str]:
    """The statements that are sent from now on."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    sa.event.listen(store.database.engine.sync_engine, "before_cursor_execute", note)
    return sent


async def import_s(store: Store[Transaction], objects: ObjectStorage, contents: list[bytes]) -> float:
    async def stream() -> AsyncIterator[pb.ImportSamplesRequest]:
        header = pb.ImportHeader(project_id="intake", origin="bench", request_id=new_id(), samples=len(contents))
        yield pb.ImportSamplesRequest(header=header)
        for content in contents:
            yield pb.ImportSamplesRequest(sample=pb.ImportSample(content=content, label="boot"))

    importer = Importer(store=store, objects=objects, inspector=Inspector(), new_id=new_id, now=utc_now)
    started = time.perf_counter()
    await importer.run(stream())
    return time.perf_counter() - started


async def least_import_s(store: Store[Transaction], contents: list[bytes]) -> float:
    table = sa.Table("bare_samples", sa.MetaData())
    inspector = Inspector()
    started = time.perf_counter()
    found = await asyncio.to_thread(lambda: [inspector.inspect(content, Modality.IMAGE) for content in contents])
    async with store.transaction() as tx:
        await tx.connection.execute(sa.text("truncate bare_samples"))
        rows = [(one.sha256, "boot") for one in found]
        await copy(tx.connection, table, columns=("sha256", "label"), records=rows)
    return time.perf_counter() - started


async def put_s(rpc: DatasetsRpc, content: bytes) -> float:
    request = pb.PutSampleRequest(
        project_id="intake",
        content=content,
        stream=flag_pb2.STREAM_AUDIT,
        probability=0.5,
        origin="prediction:1",
        request_id=new_id(),
    )
    started = time.perf_counter()
    await rpc.PutSample(request, None)  # type: ignore[arg-type]  # it asks its context nothing
    return time.perf_counter() - started


async def least_put_s(store: Store[Transaction], content: bytes) -> float:
    started = time.perf_counter()
    async with store.transaction() as tx:
        row = sa.text("insert into bare_samples values (:sha256, 'boot')").bindparams(sha256=content[-44:])
        await tx.connection.execute(row)
    return time.perf_counter() - started
