"""Leases of blind slots."""

from __future__ import annotations

import pytest
from labeling_values import answered, at, flag, leased, task

from relearn_labeling.domain.errors import NoSlot, TaskNotAssigned
from relearn_labeling.domain.slots import can_lease, expire_leases, free_slots, return_task
from relearn_labeling.domain.tasks import LeaseEnd, Stream


def test_each_lease_takes_a_slot_of_its_own():
    audit = leased(leased(task(flag(1, Stream.AUDIT)), "ann"), "ben")

    assert [lease.slot for lease in audit.leases] == [1, 2]
    assert free_slots(audit, at(0)) == (3,)


def test_no_slot_is_leased_beyond_the_overlap():
    with pytest.raises(NoSlot):
        leased(leased(task(), "ann"), "ben")


def test_an_annotator_never_gets_a_second_slot_of_one_task():
    audit = answered(task(flag(1, Stream.AUDIT)), ann="boot")

    assert not can_lease(audit, "ann", at(0))
    assert not can_lease(leased(audit, "ben"), "ben", at(0))


def test_a_lease_that_ran_out_gives_its_slot_to_another():
    taken = leased(leased(task(), "ann"), "ben", seconds=120)

    assert [(lease.annotator, lease.slot, lease.ended) for lease in taken.leases] == [
        ("ann", 1, LeaseEnd.EXPIRED),
        ("ben", 1, None),
    ]


def test_a_lease_lives_until_and_not_at_its_expiry():
    held = leased(task(), "ann")

    assert expire_leases(held, at(119.9)) == held
    assert expire_leases(held, at(120)).leases[0].ended is LeaseEnd.EXPIRED


def test_a_returned_lease_frees_its_slot():
    returned = return_task(leased(task(), "ann"), "ann", now=at(1))

    assert returned.leases[0].ended is LeaseEnd.RETURNED
    assert free_slots(returned, at(1)) == (1,)


def test_returning_a_lease_that_ran_out_is_no_error():
    assert return_task(leased(task(), "ann"), "ann", now=at(500)).leases[0].ended is LeaseEnd.EXPIRED


@pytest.mark.parametrize("annotator", ["ben", "ann"])
def test_only_a_held_lease_can_be_returned(annotator: str):
    returned = return_task(leased(task(), "ann"), "ann", now=at(1))

    with pytest.raises(TaskNotAssigned):
        return_task(returned, annotator, now=at(2))
