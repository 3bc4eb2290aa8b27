"""Which accepted label is the truth, and when labels are committed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from relearn_datasets.domain.errors import NotInLabelSet, UnsupportedLabel
from relearn_datasets.domain.labels import (
    AcceptedLabel,
    CommitPolicy,
    LabelSet,
    LabelState,
    WaitingLabels,
    check_accepted,
    check_imported,
    commit_reason,
    receive,
)
from relearn_datasets.domain.values import LabelValue, one_class
from relearn_runtime.errors import NotYetKnown

NOW = datetime(2026, 1, 1, tzinfo=UTC)


BOOT = one_class("boot")
BOXES = LabelValue(class_name=None, regions=b"boxes")


def label(
    label_id: str,
    revision: int,
    *,
    label_set_version: int = 1,
    state: LabelState = LabelState.WAITING,
    value: LabelValue = BOOT,
):
    return AcceptedLabel(
        label_id=label_id,
        project_id="clothes",
        sha256=b"s" * 32,
        label=value,
        label_set_version=label_set_version,
        revision=revision,
        draw=None,
        event_id="e",
        state=state,
        received_at=NOW,
    )


def told(labels) -> dict[str, AcceptedLabel]:
    known: dict[str, AcceptedLabel] = {}
    for one in labels:
        known |= {changed.label_id: changed for changed in receive(list(known.values()), one)}
    return known


def test_whatever_the_order_the_highest_rank_waits_and_the_others_are_put_aside():
    labels = [label("a", 1), label("b", 2), label("c", 3), label("d", 1, label_set_version=2)]

    for order in permutations(labels):
        known = told(order)
        waiting = [one.label_id for one in known.values() if one.state is LabelState.WAITING]
        assert waiting == ["d"]
        assert len(known) == 4


def test_the_same_label_again_only_takes_the_newer_revision():
    known = [label("a", 1, state=LabelState.COMMITTED)]

    assert receive(known, label("a", 1)) == []
    assert receive(known, label("a", 4)) == [replace(known[0], revision=4)]


def test_a_repeated_label_keeps_its_place_before_an_older_one_that_comes_late():
    known = told([label("b", 2), label("b", 5), label("a", 4)])

    assert known["a"].state is LabelState.SUPERSEDED
    assert known["b"].revision == 5


def test_a_committed_label_stays_committed_when_it_is_overtaken():
    committed = label("a", 1, state=LabelState.COMMITTED)

    assert receive([committed], label("b", 2)) == [label("b", 2)]


POLICY = CommitPolicy(labels=50, after=timedelta(seconds=30))


@pytest.mark.parametrize(
    ("labels", "age_s", "reason"),
    [
        (49, 29, None),
        (50, 0, "50 labels waited, 50 are enough"),
        (53, 1, "53 labels waited, 50 are enough"),
        (49, 30, "49 labels waited, the oldest for 30 s"),
        (1, 31, "1 label waited, the oldest for 30 s"),
    ],
)
def test_labels_are_committed_when_enough_wait_or_the_oldest_waited_long_enough(labels, age_s, reason):
    waiting = WaitingLabels(project_id="clothes", labels=labels, oldest_at=NOW - timedelta(seconds=age_s))

    assert commit_reason(waiting, POLICY, now=NOW) == reason


LABEL_SET = LabelSet(version=2, classes=frozenset({"boot"}))
REGIONS = replace(LABEL_SET, whole=False, one_class=False)


def test_a_class_outside_of_the_label_set_is_refused():
    check_imported("boot", LABEL_SET)
    check_accepted(label("a", 1), ["boot"], LABEL_SET)
    with pytest.raises(NotInLabelSet):
        check_imported("hat", LABEL_SET)
    for version in (1, 2):
        with pytest.raises(NotInLabelSet):
            check_accepted(label("a", 1, label_set_version=version, value=BOXES), ["boot", "hat"], REGIONS)


def test_a_label_set_that_was_not_heard_of_is_waited_for():
    with pytest.raises(NotYetKnown):
        check_accepted(label("a", 1, label_set_version=3), ["hat"], LABEL_SET)


def test_a_class_of_the_whole_sample_is_imported_only_where_labels_have_one():
    with pytest.raises(UnsupportedLabel):
        check_imported("boot", REGIONS)


def test_where_labels_are_one_class_none_is_anything_else_but_one_of_an_older_label_set():
    check_accepted(label("a", 1, label_set_version=2, value=BOXES), ["boot"], REGIONS)
    check_accepted(label("a", 1, label_set_version=1, value=BOXES), ["boot"], LABEL_SET)
    with pytest.raises(UnsupportedLabel):
        check_accepted(label("a", 1, label_set_version=2, value=BOXES), ["boot"], LABEL_SET)


def test_a_label_says_something():
    with pytest.raises(ValueError, match="says"):
        LabelValue(class_name=None)
