"""What it costs to take samples in, to commit and to diff: `python bench/datasets/measure.py [--samples N]`.

On a PostgreSQL of its own, with fsync. Each size is measured beside the least that could be done, in the same rounds:
one transaction that copies 100 bare rows into an indexed table. Read the ratios; the milliseconds are this machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from secrets import token_hex

import intake
import sqlalchemy as sa

from relearn_datasets.committing import commit_waiting_labels
from relearn_datasets.diffing import diff_page
from relearn_datasets.domain.commits import first_head
from relearn_datasets.domain.diffs import Range
from relearn_datasets.domain.labels import CommitPolicy, LabelSet
from relearn_datasets.domain.uses import Shares
from relearn_datasets.store import Transaction
from relearn_datasets.store.bulk import copy
from relearn_datasets.wire import ProjectPolicy
from relearn_local import children, ports
from relearn_local import postgres as postgres_server
from relearn_local.postgres import Postgres
from relearn_media import Modality
from relearn_runtime import Store, database, utc_now
from relearn_runtime.migrations import migrate

CHANGES = 100
ROUNDS = 15
POLICY = ProjectPolicy(
    project_id="bench",
    revision=1,
    modality=Modality.IMAGE,
    label_set=LabelSet(version=1, classes=frozenset({"boot", "bag"})),
    shares=Shares(validation=0.25, test=0.0),
    commit=CommitPolicy(labels=CHANGES, after=timedelta(hours=1)),
)
_FILL = (
    """insert into groups select 'bench', 'g' || n, n % 10000, 'train' from generate_series({low}, {high}) n""",
    """insert into samples select 'bench', sha256(int4send(n)), 700, 'image/png', 'g' || n, 'import:bench',
         'imported', null, 'bag', null, 'bag', now() from generate_series({low}, {high}) n""",
    """insert into changes select 'bench', sha256(int4send(n)), 1, 'added', null, null, 'bag', null
         from generate_series({low}, {high}) n""",
)
_WAIT = """insert into labels (label_id, project_id, sha256, label, label_set_version, revision,
             event_id, state, received_at)
           select gen_random_uuid()::text, 'bench', sha256(int4send(n)), :label, 1, 1,
             gen_random_uuid()::text, 'waiting', now() from unnest(cast(:chosen as int[])) n"""


def main() -> None:
    """Prints one line a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000, help="largest dataset; a tenth and a hundredth too")
    most = parser.parse_args().samples
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
            asyncio.run(measure(server.url("postgres"), sizes=[most // 100, most // 10, most]))
        finally:
            children.stop(child, gently=postgres_server.STOP_SIGNAL, grace_s=postgres_server.STOP_GRACE_S)
            claims.release()


async def measure(url: str, *, sizes: list[int]) -> None:
    """Takes samples in; then grows one dataset and measures at each size."""
    store = Store(database(url, statement_timeout_s=120), Transaction)
    await migrate(store.database, "relearn_datasets.migrations")
    await intake.measure(store)
    async with store.transaction() as tx:
        await tx.connection.execute(sa.text("create table bare (sha256 bytea, number int, label text)"))
        await tx.connection.execute(sa.text("create index on bare (number, sha256)"))
    print(f"{'samples':>9} | commit of {CHANGES} relabels |   diff of it | bare copy of {CHANGES} rows | commit / bare")
    filled = 0
    for size in sizes:
        await fill(store, low=filled + 1, high=size)
        filled = size
        commit_s, diff_s, bare_s = await rounds(store, size)
        told = [f"{1000 * seconds:8.1f} ms" for seconds in (commit_s, diff_s, bare_s)]
        print(f"{size:>9} | {told[0]:>23} | {told[1]:>12} | {told[2]:>21} | {commit_s / bare_s:.1f}", flush=True)
    async with store.transaction() as tx:
        size_bytes = (await tx.connection.execute(sa.text("select pg_total_relation_size('changes')"))).scalar_one()
    print(f"the log takes {size_bytes / filled:.0f} bytes a sample, indexes included")
    await store.database.close()


async def fill(store: Store[Transaction], *, low: int, high: int) -> None:
    """Adds samples to the first version, as an import of them would have left them."""
    for start in range(low, high + 1, 100_000):
        async with store.transaction() as tx:
            for statement in _FILL:
                within = statement.format(low=start, high=min(high, start + 99_999))
                await tx.connection.execute(sa.text(within))
    async with store.transaction() as tx:
        head = await tx.commits.lock_head("bench")
        if head.number == 0:
            first = first_head("bench")
            await tx.connection.execute(sa.text("update heads set number = 1"))
            await tx.connection.execute(
                sa.text(
                    "insert into commits select 'bench', 1, :digest, '{}', '{}', 0, 'bench', null, 1, now()"
                ).bindparams(digest=first.digest)
            )
    async with store.database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(sa.text("vacuum analyze"))


async def rounds(store: Store[Transaction], size: int) -> tuple[float, float, float]:
    """Median seconds of a commit, of the diff of that commit, and of the bare copy."""
    draw = random.Random(size)
    commits, diffs, bares = [], [], []
    for _ in range(ROUNDS):
        chosen = draw.sample(range(1, size + 1), CHANGES)
        async with store.transaction() as tx:
            label = draw.choice(("boot", "bag"))
            await tx.connection.execute(sa.text(_WAIT), {"label": label, "chosen": chosen})
        commits.append(await timed(partial(commit, store)))
        diffs.append(await timed(partial(diff, store)))
        bares.append(await timed(partial(bare, store)))
    return statistics.median(commits), statistics.median(diffs), statistics.median(bares)


async def commit(store: Store[Transaction]) -> None:
    async with store.transaction() as tx:
        if await commit_waiting_labels(tx, POLICY, now=utc_now()) is None:
            raise SystemExit("nothing was committed")


async def diff(store: Store[Transaction]) -> None:
    async with store.transaction() as tx:
        (newest,) = await tx.commits.list("bench", before=None, limit=1)
        of = Range(project_id="bench", after=newest.number - 1, upto=newest.number, backwards=False)
        await diff_page(tx, of, size=500, page_token="")


async def bare(store: Store[Transaction]) -> None:
    rows = [(random.randbytes(32), n, "boot") for n in range(CHANGES)]
    table = sa.Table("bare", sa.MetaData())
    async with store.transaction() as tx:
        await tx.connection.execute(sa.text("select 1"))  # begins
        await copy(tx.connection, table, columns=("sha256", "number", "label"), records=rows)


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
