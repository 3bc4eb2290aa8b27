"""LabelAccepted to VersionCommitted: by policy, each label once, whatever the order."""

from __future__ import annotations

from datasets_world import AUDIT, DISAGREEMENT, SELECTED, accepted, flag, header, labeled, part, png, project

from relearn.datasets.v1.dataset_version_pb2 import USE_TRAIN
from relearn.datasets.v1.events_pb2 import VersionCommitted
from relearn.labeling.v1 import label_task_pb2
from relearn.labeling.v1.events_pb2 import LabelAccepted
from relearn.registry.v1.project_pb2 import Project
from relearn_contracts.topics import topic_of
from relearn_runtime import new_id, utc_now
from relearn_runtime.envelope import encode
from relearn_runtime.testing import eventually, handled, publish, publish_record


async def put_and_label(world, numbers, stream=SELECTED, label="boot"):
    """Puts samples and has a label accepted for each; returns event id by label id."""
    told = {}
    for number in numbers:
        await world.put(png(number), stream)
        message = accepted(png(number), label, flags=[flag(stream, content=png(number))])
        told[message.label.label_id] = await publish(world.kafka, message)
    return told


async def test_labels_are_committed_when_enough_wait(clothes):
    told = await put_and_label(clothes, range(3))

    version = await clothes.committed(1)

    assert version.message == "3 labels waited, 3 are enough"
    assert (version.counts.train, version.counts.selected, version.counts.imported) == (3, 3, 0)
    (event,) = await clothes.collect(VersionCommitted, 1)
    assert set(event.message.label_ids) == set(told)
    assert set(event.causes) == set(told.values())
    assert event.message.dataset_version == version
    assert set((await clothes.label_states()).values()) == {"committed"}


async def test_fewer_labels_wait_and_say_so(clothes):
    await put_and_label(clothes, range(2))

    async def two_wait():
        return [line for line in await clothes.waiting() if line.startswith("2 of 3 accepted labels wait for a commit")]

    await eventually(two_wait)
    assert await clothes.versions() == []


async def test_a_label_that_waited_long_enough_is_committed_alone(datasets):
    await datasets.apply(project(labels=1000, after_s=1))

    await put_and_label(datasets, [1])

    assert (await datasets.committed(1)).message == "1 label waited, the oldest for 1 s"


async def test_a_paused_project_commits_what_people_have_answered(datasets):
    await datasets.apply(project(labels=1, state=Project.STATE_PAUSED))

    await put_and_label(datasets, [1])

    assert (await datasets.committed(1)).counts.selected == 1


async def test_streams_are_counted_and_disagreements_are_no_validation(clothes):
    await put_and_label(clothes, [1], AUDIT)
    await put_and_label(clothes, [2], DISAGREEMENT)
    await put_and_label(clothes, [3], SELECTED)

    counts = (await clothes.committed(1)).counts

    assert (counts.train, counts.validation) == (1, 1)
    assert (counts.audit, counts.disagreement, counts.selected) == (1, 1, 1)


async def test_the_same_event_again_counts_once(clothes):
    await clothes.put(png(1))
    message = accepted(png(1))
    event_id = await publish(clothes.kafka, message)
    await publish(clothes.kafka, message, id=event_id)
    await handled(clothes.database_url, event_id)

    await put_and_label(clothes, [2, 3])

    assert (await clothes.committed(1)).counts.selected == 3
    assert len(await clothes.label_states()) == 3


async def test_the_same_label_for_a_new_flag_counts_once_before_and_after_its_commit(clothes):
    await clothes.put(png(1), SELECTED)
    one = accepted(png(1), flags=[flag(SELECTED, content=png(1))])
    again = LabelAccepted()
    again.CopyFrom(one)
    again.revision, again.repeated_for_flag = 2, True
    again.flags.append(flag(AUDIT, content=png(1)))
    await publish(clothes.kafka, one)
    await publish(clothes.kafka, again)
    await put_and_label(clothes, [2, 3])
    await clothes.committed(1)

    again.revision = 3
    await handled(clothes.database_url, await publish(clothes.kafka, again))
    await put_and_label(clothes, [4, 5, 6])

    assert (await clothes.committed(2)).new_counts.selected == 3
    sample = (await clothes.sample(png(1))).sample
    assert (sample.use, sample.stream) == (USE_TRAIN, SELECTED)
    assert len(await clothes.sql("select 1 from changes")) == 6


async def test_a_label_that_overtakes_puts_a_waiting_one_aside(clothes):
    await clothes.put(png(1))
    await publish(clothes.kafka, accepted(png(1), "boot", label_id="first", revision=1))
    await publish(clothes.kafka, accepted(png(1), "bag", label_id="second", revision=2))
    await eventually(lambda: knows(clothes, "second"))  # or the others, of other keys, are committed with the first
    await put_and_label(clothes, [2, 3])

    await clothes.committed(1)

    states = await clothes.label_states()
    assert (states["first"], states["second"]) == ("superseded", "committed")
    assert (await clothes.sample(png(1))).sample.label == "bag"


async def test_an_older_revision_that_comes_late_never_overwrites(clothes):
    await clothes.put(png(1))
    await publish(clothes.kafka, accepted(png(1), "bag", label_id="second", revision=2))
    await eventually(lambda: knows(clothes, "second"))
    await publish(clothes.kafka, accepted(png(1), "boot", label_id="first", revision=1))
    await put_and_label(clothes, [2, 3])

    await clothes.committed(1)

    await eventually(lambda: knows(clothes, "first"))
    assert (await clothes.label_states())["first"] == "superseded"
    assert (await clothes.sample(png(1))).sample.label == "bag"


async def test_a_better_label_of_a_committed_sample_is_a_relabel(clothes):
    await clothes.put(png(1))
    await publish(clothes.kafka, accepted(png(1), "boot", revision=1))
    await put_and_label(clothes, [2, 3])
    first = await clothes.committed(1)

    await publish(clothes.kafka, accepted(png(1), "bag", label_id="better", revision=2))
    await put_and_label(clothes, [4, 5])

    second = await clothes.committed(2)
    assert (second.relabeled, second.new_counts.selected, second.counts.selected) == (1, 2, 5)
    assert second.parent_dataset_version_id == first.dataset_version_id
    changes = {change.sample_id: change for change in (await clothes.diff(1, 2)).changes}
    (relabel,) = [change for change in changes.values() if change.old_label]
    assert (relabel.old_label, relabel.new_label, relabel.label_id) == ("boot", "bag", "better")


async def test_a_person_who_agrees_with_the_import_confirms_it(clothes):
    await clothes.import_(header(), part(png(1), "boot"))
    await publish(clothes.kafka, accepted(png(1), "boot", label_id="confirming"))
    await put_and_label(clothes, [2, 3])

    version = await clothes.committed(2)

    assert (version.relabeled, version.new_counts.imported, version.counts.imported) == (0, 0, 1)
    assert (await clothes.diff(1, 2)).added == 2
    assert (await clothes.label_states())["confirming"] == "committed"


async def test_a_label_before_its_sample_waits_for_it(clothes):
    await publish(clothes.kafka, accepted(png(1), "boot"))

    async def waits():
        return [parked.reason for parked in await clothes.parked()] == ["NOT_YET_KNOWN"]

    await eventually(waits)
    await clothes.put(png(1))
    await put_and_label(clothes, [2, 3])

    assert (await clothes.committed(1)).counts.selected == 3


async def test_a_label_before_its_project_waits_for_it(datasets):
    await datasets.apply(project("shoes"))
    await publish(datasets.kafka, accepted(png(1), "boot"))

    async def waits():
        return [parked.reason for parked in await datasets.parked()] == ["NOT_YET_KNOWN"]

    await eventually(waits)
    await datasets.apply(project(labels=1))
    await datasets.put(png(1))

    assert (await datasets.committed(1)).counts.selected == 1


async def test_a_label_in_a_label_set_of_tomorrow_waits_for_it(clothes):
    await clothes.put(png(1))
    await publish(clothes.kafka, accepted(png(1), "hat", label_set_version=2))

    await clothes.apply(project(revision=2, labels=1, classes=("hat", "boot"), label_set_version=2))

    await clothes.committed(1)
    assert (await clothes.sample(png(1))).sample.label == "hat"


REGION = label_task_pb2.Region(label="boot")


async def test_labels_that_can_never_count_are_parked_with_their_reasons(clothes):
    await clothes.put(png(1))
    bad = [
        ("NOT_IN_LABEL_SET", {"label": "hat"}),
        ("UNSUPPORTED_LABEL", {"regions": []}),
        ("UNSUPPORTED_LABEL", {"regions": [REGION]}),
        ("SAMPLE_NOT_FOUND", {"sample_id": "clothes/sample/none"}),
        ("INVALID_INPUT", {"sample_id": f"shoes/sample/{'0' * 64}"}),
        ("INVALID_INPUT", {"flags": [flag(SELECTED, content=png(1), probability=2)]}),
    ]

    for _, wrong in bad:
        await publish(clothes.kafka, accepted(png(1), **wrong))

    async def all_are_parked():
        return [parked.reason for parked in await clothes.parked()] == [reason for reason, _ in bad]

    await eventually(all_are_parked)
    await put_and_label(clothes, [2, 3, 4])
    assert (await clothes.committed(1)).counts.selected == 3


async def test_a_malformed_event_is_parked_and_the_next_is_handled(clothes):
    record = encode(accepted(png(1)), id=new_id(), time=utc_now())
    broken = type(record)(topic=record.topic, key=record.key, value=b"\xff\xff", headers=record.headers)
    assert record.topic == topic_of(LabelAccepted).name

    await publish_record(clothes.kafka, broken)

    async def is_parked():
        return [parked.reason for parked in await clothes.parked()] == ["MALFORMED_EVENT"]

    await eventually(is_parked)
    await put_and_label(clothes, range(3))
    await clothes.committed(1)


async def test_a_label_is_kept_though_the_database_refuses_it_once(clothes):
    await clothes.put(png(1))
    for statement in (
        "create sequence refusals",
        """create function refuse_once() returns trigger language plpgsql as $$ begin
             if nextval('refusals') = 1 then raise exception 'once' using errcode = 'serialization_failure'; end if;
             return new; end $$""",
        "create trigger refuse_once before insert on labels for each row execute function refuse_once()",
    ):
        await clothes.sql(statement)

    await put_and_label(clothes, range(3))

    assert (await clothes.committed(1)).counts.selected == 3
    assert await clothes.parked() == []


async def test_labels_of_two_projects_never_meet(datasets):
    await datasets.apply(project("clothes", labels=2))
    await datasets.apply(project("shoes", labels=1))
    for name in ("clothes", "shoes"):
        await datasets.put(png(1), name=name)
    await publish(datasets.kafka, accepted(png(1), "boot", name="clothes"))
    await publish(datasets.kafka, accepted(png(1), "bag", name="shoes"))

    version = await datasets.committed(1, "shoes")

    assert version.counts.selected == 1
    assert await datasets.versions("clothes") == []
    assert (await datasets.sample(png(1), name="clothes")).sample.label == ""


async def test_a_label_without_flags_for_an_unlabeled_import_is_used_as_imported(clothes):
    await clothes.import_(header(), *(part(png(number)) for number in range(3)))
    for number in range(3):
        await publish(clothes.kafka, accepted(png(number)))

    version = await clothes.committed(1)

    assert version.counts.imported == 3
    assert version.counts.train + version.counts.validation == 3


async def test_an_import_and_labels_make_versions_one_after_the_other(clothes):
    await clothes.import_(header(), *labeled(range(10)))
    await put_and_label(clothes, range(20, 23))
    await clothes.committed(2)

    await clothes.import_(header(), *labeled(range(10, 20)))

    numbers = [version.number for version in await clothes.versions()]
    assert numbers == [3, 2, 1]
    assert (await clothes.version(3)).counts.imported == 20
    assert (await clothes.version(3)).counts.selected == 3


async def knows(world, label_id: str) -> bool:
    return label_id in await world.label_states()
