"""What older schemas hold is there in the newest one, and means what it meant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from relearn.registry.v1.project_pb2 import LabelSet, Project
from relearn_labeling import region_messages
from relearn_labeling.domain.regions import Region, Whole
from relearn_labeling.store import Transaction
from relearn_runtime import Store, database
from relearn_runtime.migrations import migrate
from relearn_runtime.testing import schema

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PACKAGE = "relearn_labeling.migrations"
CLOTHES = Project(project_id="clothes", label_set=LabelSet(version=1, classes=["boot", "bag"]))
ROWS_OF_0001 = (
    "insert into projects values ('clothes', 1, :project, now())",
    """insert into label_tasks values
       ('t', 'clothes', 'clothes/sample/a', 1, 'accepted', 1, 3, 3, 1, 'new', 2, :noon, :noon)""",
    "insert into flags values ('t', 1, 'f', 'audit', '', 'why', 'event', '')",
    """insert into annotations values
       ('a1', 't', 'ann', 1, 'boot', interval '3 s', :noon), ('a2', 't', 'ben', 2, 'bag', null, :noon),
       ('a3', 't', 'cat', 3, 'bag', interval '4 s', :noon)""",
    """insert into labels values
       ('old', 't', 'boot', array['a1'], 1, :noon), ('new', 't', 'bag', array['a2', 'a3'], 3, :noon)""",
)


async def _fill_0001(postgres_url: str) -> None:
    values = {"project": CLOTHES.SerializeToString(), "noon": NOON}
    async with schema(postgres_url, PACKAGE, "0001") as connection:
        for statement in map(sa.text, ROWS_OF_0001):
            used = {name: values[name] for name in statement.compile().params}
            await connection.execute(statement, used)


async def test_classes_of_0001_are_regions_of_the_whole_sample_in_the_label_set_of_their_task(postgres_url):
    await _fill_0001(postgres_url)
    store = Store(database(postgres_url), Transaction)

    await migrate(store.database, PACKAGE)

    async with store.transaction() as tx:
        task = await tx.label_tasks.get("t")
        label_set = await tx.label_sets.get("clothes", 1)
    assert label_set == CLOTHES.label_set
    bag = (Region(part=Whole(), class_name="bag"),)
    assert [annotation.regions[0].class_name for annotation in task.annotations] == ["boot", "bag", "bag"]
    assert (task.label.regions, task.label.agreement, task.label.answers) == (bag, 2 / 3, 3)
    assert (task.label.time_spent, task.label.posterior, task.label.reviewer) == (timedelta(seconds=7), None, "")
    await store.database.close()


async def test_0001_can_be_gone_back_to_while_answers_are_classes(postgres_url):
    await _fill_0001(postgres_url)
    async with schema(postgres_url, PACKAGE, "0002") as connection:
        (content,) = (await connection.execute(sa.text("select regions from labels where label_id = 'old'"))).one()
        assert region_messages.of_content(content) == (Region(part=Whole(), class_name="boot"),)

    async with schema(postgres_url, PACKAGE, "0001") as connection:
        rows = await connection.execute(sa.text("select label_id, class_name from labels order by label_id"))
        assert [tuple(row) for row in rows] == [("new", "bag"), ("old", "boot")]
