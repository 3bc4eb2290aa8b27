"""What older schemas hold is there in the newest one, and means what it meant."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from datasets_world import project

from relearn_datasets.domain.diffs import Range
from relearn_datasets.domain.values import one_class
from relearn_datasets.store import Transaction
from relearn_runtime import Store, database
from relearn_runtime.migrations import migrate
from relearn_runtime.testing import schema

PACKAGE = "relearn_datasets.migrations"
SAMPLE = hashlib.sha256(b"sample").digest()
ROWS_OF_0001 = (
    "insert into projects values ('clothes', 1, :project, now())",
    "insert into groups values ('clothes', 'g', 1, 'train')",
    """insert into samples values
       ('clothes', :sample, 700, 'image/png', 'g', 'import:x', 'imported', null, 'bag', 'l', 'boot', now())""",
    """insert into changes values
       ('clothes', :sample, 1, 'added', null, null, 'boot', null),
       ('clothes', :sample, 2, 'relabeled', 'boot', null, 'bag', 'l')""",
    """insert into labels values
       ('l', 'clothes', :sample, 'bag', 1, 1, null, null, 'e', 'committed', 2, now()),
       ('m', 'clothes', :sample, 'boot', 1, 2, null, null, 'f', 'waiting', null, now())""",
)


async def test_classes_of_0001_are_labels_of_one_class(postgres_url):
    values = {"project": project().SerializeToString(), "sample": SAMPLE}
    async with schema(postgres_url, PACKAGE, "0001") as connection:
        for statement in map(sa.text, ROWS_OF_0001):
            await connection.execute(statement, {name: values[name] for name in statement.compile().params})
    store = Store(database(postgres_url), Transaction)
    bag, boot = one_class("bag"), one_class("boot")

    await migrate(store.database, PACKAGE)

    async with store.transaction() as tx:
        sample = await tx.samples.get("clothes", SAMPLE)
        waiting = await tx.labels.waiting_of("clothes", [SAMPLE])
        log = Range(project_id="clothes", after=0, upto=2, backwards=False)
        steps = [step async for step in tx.commits.steps(log, after=None)]
        (packed,) = await tx.packs.state("clothes", 2, after=b"", limit=10)
    assert (sample.label, packed.label) == (bag, bag)
    assert [label.label for label in waiting] == [boot]
    assert [(step.old_label, step.new_label) for step in steps] == [(None, boot), (boot, bag)]
    await store.database.close()
    async with schema(postgres_url, PACKAGE, "0001") as connection:  # and back, while labels are classes
        rows = await connection.execute(sa.text("select label from labels order by label_id"))
        assert rows.scalars().all() == ["bag", "boot"]
