"""What a report costs: `python bench/labeling/report.py [--answers N]`, on a PostgreSQL of its own, with fsync.

Fills one project with tasks of three answers each, of one class or of boxes, and asks for the report of all of them, as
the servicer does; then learns the crowd from the newest answers, and looks three annotators up in it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from secrets import token_hex

import sqlalchemy as sa

from relearn.labeling.v1 import management_service_pb2 as pb
from relearn.labeling.v1.label_task_pb2 import Annotation, Region, Whole
from relearn.registry.v1 import project_pb2
from relearn_labeling.learning import refresh_crowds
from relearn_labeling.rpc.reporting import Reporting
from relearn_labeling.store import Transaction
from relearn_local import children, ports
from relearn_local import postgres as postgres_server
from relearn_local.postgres import Postgres
from relearn_runtime import Store, database
from relearn_runtime.migrations import migrate

ROUNDS = 5
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CLASSES = [f"class-{number}" for number in range(10)]

_FILL = (
    """insert into label_tasks (label_task_id, project_id, sample_id, label_set_version, state, settled, overlap,
           answers, rank, due_at, answer_s, label_id, revision, created_at, updated_at)
       select :kind || n, :kind, :kind || '/sample/' || n, 1, 'accepted', 0, 3, 3,
           1, :now, 10, 'label-' || :kind || n, 1, :now, :now from generate_series(1, :tasks) n""",
    # annotator a of 20 is right in 70 to 89 of 100; what is said instead is any class
    """insert into annotations (annotation_id, label_task_id, annotator, slot, regions, classes, time_spent, created_at)
       select :kind || n || '-' || slot, :kind || n, 'annotator-' || a, slot,
           decode(regions, 'hex'), array[class_name], (5 + a) * interval '1 s',
           :now - random() * interval '30 days'
       from (
           select n, slot, (n + slot * 7) % 20 as a,
               case when random() < 0.7 + ((n + slot * 7) % 20) / 100.0 then n % 10 else (random() * 9)::int end as said
           from generate_series(1, :tasks) n, generate_series(1, 3) slot
       ) as given join said using (said)""",
    """insert into labels (label_id, label_task_id, regions, classes, annotation_ids, answers, agreement, reviewer,
           accepted_at)
       select 'label-' || :kind || n, :kind || n, '', array['class-' || n % 10],
           array[:kind || n || '-1', :kind || n || '-2'], 3, 0.67, '', :now - random() * interval '30 days'
       from generate_series(1, :tasks) n""",
    "insert into answer_days (project_id, day, annotator, answers) values (:kind, current_date, 'a', 3 * :tasks)",
)


def main() -> None:
    """Prints one line a kind of answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=100_000)
    answers = parser.parse_args().answers
    claims = ports.PortClaims()
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(
            folder=Path(folder) / "postgres", port=claims.claim_any(), password=token_hex(16), durable=True
        )
        server.folder.mkdir()
        server.prepare()
        child = children.start(server.command(), log=server.folder / "log", folder=server.folder)
        try:
            while not server.is_ready():
                time.sleep(0.1)
            asyncio.run(measure(server.url("postgres"), tasks=answers // 3))
        finally:
            children.stop(child, gently=postgres_server.STOP_SIGNAL, grace_s=postgres_server.STOP_GRACE_S)
            claims.release()


async def measure(url: str, *, tasks: int) -> None:
    """Fills a project of each kind, then asks."""
    store = Store(database(url, statement_timeout_s=120), Transaction)
    await migrate(store.database, "relearn_labeling.migrations")
    for kind in ("class", "boxes"):
        await fill(store, kind, tasks)
    for kind in ("class", "boxes"):
        reporting = Reporting(store=store, now=lambda: NOW)
        request = pb.GetLabelingReportRequest(project_id=kind)
        report_s = await timed(lambda reporting=reporting, request=request: reporting.GetLabelingReport(request, None))
        print(f"{kind:>6}: report of {3 * tasks} answers {1000 * report_s:.0f} ms", flush=True)
    for kind in ("class", "boxes"):
        learn_s = await timed(partial(learn, store, kind), rounds=1)
        decide_s = await timed(partial(look_up, store, kind))
        print(f"{kind:>6}: crowd learned in {learn_s:.1f} s, looked up in {1000 * decide_s:.1f} ms", flush=True)
    await store.database.close()


async def fill(store: Store[Transaction], kind: str, tasks: int) -> None:
    """One project with three answers a task; with boxes each answer has four of them."""
    project = project_pb2.Project(
        project_id=kind,
        revision=1,
        label_set=project_pb2.LabelSet(version=1, classes=CLASSES),
        labeling=project_pb2.LabelingPolicy(truth=project_pb2.TRUTH_DAWID_SKENE),
    )
    if kind == "boxes":
        project.label_set.region_kinds.append(project_pb2.REGION_KIND_BOX)
    async with store.transaction() as tx:
        await tx.projects.save(project)
        await tx.label_sets.keep(kind, project.label_set)
        await tx.connection.execute(
            sa.text("create temporary table said (said int, class_name text, regions text) on commit drop")
        )
        said = [{"said": n, "class_name": name, "regions": regions(kind, n)} for n, name in enumerate(CLASSES)]
        await tx.connection.execute(sa.text("insert into said values (:said, :class_name, :regions)"), said)
        for statement in _FILL:
            values = {"kind": kind, "tasks": tasks, "now": NOW}
            used = [
                sa.bindparam(name, value, type_=sa.DateTime(timezone=True) if name == "now" else None)
                for name, value in values.items()
                if f":{name}" in statement
            ]
            await tx.connection.execute(sa.text(statement).bindparams(*used))
    async with store.database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(sa.text("vacuum analyze"))


def regions(kind: str, number: int) -> str:
    """An answer as rows hold it, in hex."""
    name = CLASSES[number]
    found = [Region(whole=Whole(), label=name)]
    if kind == "boxes":
        corner = [{"x": 100 * n + number, "y": 0, "width": 50, "height": 50} for n in range(4)]
        found = [Region(region_id=f"r{n}", box=box, label=name) for n, box in enumerate(corner)]
    return Annotation(regions=found).SerializeToString().hex()


async def learn(store: Store[Transaction], kind: str) -> None:
    async with store.transaction() as tx:
        await tx.connection.execute(sa.text("delete from crowds where project_id = :kind"), {"kind": kind})
    await refresh_crowds(store, now=lambda: NOW + timedelta(hours=1))


async def look_up(store: Store[Transaction], kind: str) -> None:
    async with store.transaction() as tx:
        crowd = await tx.crowds.get(kind, 1, annotators={"annotator-1", "annotator-2", "annotator-3"})
        if crowd is None:
            raise SystemExit("no crowd was learned")
        crowd.posterior([("annotator-1", "class-1"), ("annotator-2", "class-1"), ("annotator-3", "class-2")])


async def timed(work: Callable[[], Awaitable[object]], *, rounds: int = ROUNDS) -> float:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        await work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    main()
