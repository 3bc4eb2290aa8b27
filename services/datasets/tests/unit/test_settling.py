"""From wanted labels to changes, uses and draws."""

from __future__ import annotations

from relearn_datasets.domain.samples import IMPORTED, Draw, Stream, Use
from relearn_datasets.domain.settling import (
    Current,
    Wanted,
    draw_after_flag,
    imported,
    proposed_uses,
    settle,
    unlabeled,
)
from relearn_datasets.domain.uses import Shares, bucket, use_of_bucket
from relearn_datasets.domain.values import LabelValue, one_class

SHARES = Shares(validation=0.25, test=0)
GROUPS = ["group-1", "group-2"]
BAG, BOOT = one_class("bag"), one_class("boot")
AUDIT, SELECTED = (Draw(stream=stream, probability=0.5) for stream in (Stream.AUDIT, Stream.SELECTED))


def current(number: int, **more) -> Current:
    values = {"group_key": f"group-{number}", "label": None, "label_id": None, "imported_label": None, "draw": None}
    return Current(sha256=number.to_bytes(32, "big"), **(values | more))


def wanted(number: int, label: str = "boot", draw: Draw = IMPORTED) -> Wanted:
    return Wanted(sha256=number.to_bytes(32, "big"), label=one_class(label), label_id=None, draw=draw)


def by_sha256(*currents: Current) -> dict[bytes, Current]:
    return {one.sha256: one for one in currents}


def test_changes_come_in_order_with_old_and_new_values():
    currents = by_sha256(current(1), current(2, label=BAG, label_id="old", draw=AUDIT))
    uses = {"group-1": Use.TRAIN, "group-2": Use.VALIDATION}

    changes = settle([wanted(2), wanted(1)], currents=currents, uses=uses)

    assert [change.sha256 for change in changes] == list(currents)
    assert [(change.old_label, change.old_label_id, change.new_label, change.use) for change in changes] == [
        (None, None, BOOT, Use.TRAIN),
        (BAG, "old", BOOT, Use.VALIDATION),
    ]


def test_a_sample_keeps_the_reason_it_was_first_wanted_for():
    currents = by_sha256(current(1, draw=AUDIT), current(2))

    changes = settle(
        [wanted(1, draw=SELECTED), wanted(2, draw=SELECTED)], currents=currents, uses=dict.fromkeys(GROUPS, Use.TRAIN)
    )

    assert [change.draw for change in changes] == [AUDIT, SELECTED]


def test_the_first_member_proposes_what_its_group_is_for():
    currents = by_sha256(current(1, group_key="burst"), current(2, group_key="burst"), current(3, draw=AUDIT))
    wants = [wanted(2, draw=AUDIT), wanted(1, draw=SELECTED), wanted(3, draw=SELECTED)]

    proposed = proposed_uses("clothes", wants, currents=currents, shares=SHARES)

    assert proposed == {"burst": Use.TRAIN, "group-3": Use.VALIDATION}


def test_an_imported_group_falls_where_its_bucket_says():
    wants, currents = [wanted(n) for n in range(400)], by_sha256(*(current(n) for n in range(400)))

    proposed = proposed_uses("clothes", wants, currents=currents, shares=SHARES)

    for n in range(400):
        key = f"group-{n}"
        assert proposed[key] is use_of_bucket(bucket("clothes", key), SHARES)
    assert set(proposed.values()) == {Use.TRAIN, Use.VALIDATION}


def test_an_import_is_compared_with_the_last_import():
    assert imported("boot", unlabeled(current(1).sha256, "group-1")) == imported("boot", current(1)) == wanted(1)
    assert imported(None, current(1)) is None
    assert imported("boot", current(1, label=BAG, imported_label="boot")) is None
    assert imported("boot", current(1, label=BOOT, imported_label="bag")) is None
    assert imported("boot", current(1, label=BAG, imported_label="bag")) == wanted(1)
    assert imported("boot", current(1, label=LabelValue(class_name="boot", regions=b"said"))) == wanted(1)


def test_a_flag_never_changes_a_draw_that_is_there():
    assert draw_after_flag(current(1), AUDIT) == AUDIT
    assert draw_after_flag(current(1, draw=SELECTED), AUDIT) == SELECTED
    assert draw_after_flag(current(1, label=BOOT, draw=IMPORTED), AUDIT) == IMPORTED
