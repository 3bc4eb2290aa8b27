"""Digest and counts of commits."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relearn_datasets.domain.commits import Change, CommitBuilder, Counts, Effect, Head, first_head
from relearn_datasets.domain.samples import IMPORTED, Draw, Stream, Use
from relearn_datasets.domain.values import LabelValue, one_class

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AUDIT = Draw(stream=Stream.AUDIT, probability=0.5)
BOXES = LabelValue(class_name=None, regions=b"boxes")
NOTHING = LabelValue(class_name=None, regions=b"")


def value(label: str | LabelValue | None) -> LabelValue | None:
    return one_class(label) if isinstance(label, str) else label


def change(number: int, label: str | LabelValue = "boot", old: str | LabelValue | None = None, **more) -> Change:
    values = {"old_label_id": None, "new_label_id": None, "use": Use.TRAIN, "draw": IMPORTED, "group_key": "g"}
    return Change(sha256=number.to_bytes(32, "big"), old_label=value(old), new_label=value(label), **(values | more))


def commit(head: Head, changes: list[Change]):
    builder = CommitBuilder(head)
    builder.take(changes)
    return builder.version(message="", import_id=None, project_revision=1, created_at=NOW)


def after(version) -> Head:
    return Head(project_id=version.project_id, number=version.number, digest=version.digest, counts=version.counts)


def test_a_digest_is_the_same_in_one_piece_and_in_many():
    changes = [change(number) for number in range(1, 20)]
    builder = CommitBuilder(first_head("clothes"))
    for one in changes:
        builder.take([one])

    version = builder.version(message="another", import_id="x", project_revision=9, created_at=NOW)

    assert version.digest == commit(first_head("clothes"), changes).digest


@pytest.mark.parametrize(
    "other",
    [
        change(2),
        change(1, "bag"),
        change(1, old="bag"),
        change(1, use=Use.VALIDATION),
        change(1, draw=AUDIT),
        change(1, draw=Draw(stream=Stream.AUDIT, probability=0.25)),
        change(1, group_key="h"),
        change(1, BOXES),
        change(1, NOTHING),
        change(1, old=NOTHING),
        change(1, LabelValue(class_name="boot", regions=b"boxes")),
    ],
)
def test_whatever_a_pack_shows_is_in_the_digest(other):
    assert commit(first_head("clothes"), [change(1)]).digest != commit(first_head("clothes"), [other]).digest


def test_a_digest_depends_on_project_and_history_but_not_on_label_ids():
    first = commit(first_head("clothes"), [change(1)])

    assert commit(first_head("shoes"), [change(1)]).digest != first.digest
    assert commit(after(first), [change(1)]).digest != first.digest
    assert commit(first_head("clothes"), [change(1, new_label_id="other")]).digest == first.digest


def test_a_digest_of_classes_is_what_it_was_before_labels_had_regions():
    changes = [
        change(1),
        change(2, "bag", "boot", draw=AUDIT),
        change(3, use=Use.VALIDATION, group_key="burst"),
    ]

    version = commit(first_head("clothes"), changes)

    assert version.digest.hex() == "8e7ac66967f3b595bb26736829c7e72d19e7f0d6929b03a8522e5abc4c063f5f"


def test_all_that_a_label_says_is_in_the_digest():
    labels = ["boot", BOXES, NOTHING, LabelValue(class_name="boot", regions=b"boxes")]

    digests = {commit(first_head("clothes"), [change(1, new, old)]).digest for new in labels for old in [None, *labels]}

    assert len(digests) == 4 * 5


@pytest.mark.parametrize("numbers", [(2, 1), (1, 1)])
def test_changes_out_of_order_or_twice_are_a_mistake(numbers):
    builder = CommitBuilder(first_head("clothes"))

    with pytest.raises(ValueError, match="ascending"):
        builder.take([change(number) for number in numbers])


def test_effects_are_counted_apart():
    changes = [
        change(1),
        change(2, "boot", "bag"),
        change(3, "boot", "boot", new_label_id="x"),
        change(4, draw=AUDIT),
        change(5, BOXES, NOTHING),
        change(6, NOTHING, NOTHING),
    ]

    version = commit(first_head("clothes"), changes)

    effects = [Effect.ADDED, Effect.RELABELED, Effect.CONFIRMED, Effect.ADDED, Effect.RELABELED, Effect.CONFIRMED]
    assert [one.effect for one in changes] == effects
    assert (version.relabeled, version.new_counts.total) == (2, 2)
    assert version.new_counts.by == {(Use.TRAIN, Stream.IMPORTED): 1, (Use.TRAIN, Stream.AUDIT): 1}


def test_disagreements_are_not_counted_as_validation():
    by = {(Use.VALIDATION, Stream.DISAGREEMENT): 5, (Use.VALIDATION, Stream.AUDIT): 2, (Use.TRAIN, Stream.SELECTED): 1}

    counts = Counts(by=by)

    assert (counts.validation, counts.of_use(Use.VALIDATION), counts.of_stream(Stream.DISAGREEMENT)) == (2, 7, 5)


KINDS = st.tuples(st.sampled_from(Use), st.sampled_from([IMPORTED, AUDIT]))


@given(
    st.lists(st.dictionaries(st.integers(1, 30), st.sampled_from(["boot", "bag"]), max_size=10), max_size=8), st.data()
)
def test_counts_kept_commit_by_commit_are_those_of_the_state(commits, data):
    head, labels, kinds = first_head("clothes"), {}, {}
    for wanted in commits:
        for number in wanted:
            kinds.setdefault(number, data.draw(KINDS))
        changes = [
            change(number, label, labels.get(number), use=kinds[number][0], draw=kinds[number][1])
            for number, label in sorted(wanted.items())
        ]
        head = after(commit(head, changes))
        labels |= wanted

    assert head.counts.total == len(labels)
    for use in Use:
        assert head.counts.of_use(use) == sum(kinds[number][0] is use for number in labels)
