"""From wanted labels to changes, uses and draws."""

from __future__ import annotations

from relearn_datasets.domain.samples import IMPORTED, Draw, Stream, Use
from relearn_datasets.domain.settling import Current, Group, Wanted, draw_after_flag, imported, settle
from relearn_datasets.domain.uses import Shares

SHARES = Shares(validation=0.25, test=0)
AUDIT, SELECTED = (Draw(stream=stream, probability=0.5) for stream in (Stream.AUDIT, Stream.SELECTED))


def current(number: int, **more) -> Current:
    values = {"group_key": f"group-{number}", "label": None, "label_id": None, "imported_label": None, "draw": None}
    return Current(sha256=number.to_bytes(32, "big"), **(values | more))


def wanted(number: int, label: str = "boot", draw: Draw = IMPORTED) -> Wanted:
    return Wanted(sha256=number.to_bytes(32, "big"), label=label, label_id=None, draw=draw)


def settled(wants, currents, *, use: Use | None = None, bucket: int = 9999):
    groups = {one.group_key: Group(group_key=one.group_key, bucket=bucket, use=use) for one in currents}
    return settle(wants, currents={one.sha256: one for one in currents}, groups=groups, shares=SHARES)


def test_changes_come_in_order_with_old_and_new_values():
    currents = [current(1), current(2, label="bag", label_id="old", draw=AUDIT)]

    changes = settled([wanted(2), wanted(1)], currents).changes

    assert [change.sha256 for change in changes] == [one.sha256 for one in currents]
    assert [(change.old_label, change.old_label_id, change.new_label) for change in changes] == [
        (None, None, "boot"),
        ("bag", "old", "boot"),
    ]


def test_the_first_member_decides_for_its_group_once():
    currents = [current(1, group_key="burst"), current(2, group_key="burst")]

    found = settled([wanted(1, draw=SELECTED), wanted(2, draw=AUDIT)], currents)

    assert found.decided == {"burst": Use.TRAIN}
    assert [change.use for change in found.changes] == [Use.TRAIN, Use.TRAIN]
    assert [change.draw for change in found.changes] == [SELECTED, AUDIT]


def test_a_use_that_was_decided_stays():
    found = settled([wanted(1, draw=SELECTED)], [current(1)], use=Use.TEST)

    assert found.decided == {}
    assert found.changes[0].use is Use.TEST


def test_a_sample_keeps_the_reason_it_was_first_wanted_for():
    found = settled([wanted(1, draw=SELECTED)], [current(1, draw=AUDIT)])

    assert found.changes[0].draw == AUDIT
    assert found.decided == {"group-1": Use.VALIDATION}


def test_an_import_is_compared_with_the_last_import():
    assert imported("boot", current(1)) == wanted(1)
    assert imported(None, current(1)) is None
    assert imported("boot", current(1, label="bag", imported_label="boot")) is None
    assert imported("boot", current(1, label="boot", imported_label="bag")) is None
    assert imported("boot", current(1, label="bag", imported_label="bag")) == wanted(1)


def test_a_flag_never_changes_a_draw_that_is_there():
    assert draw_after_flag(current(1), AUDIT) == AUDIT
    assert draw_after_flag(current(1, draw=SELECTED), AUDIT) == SELECTED
    assert draw_after_flag(current(1, label="boot", draw=IMPORTED), AUDIT) == IMPORTED
