"""Leases of blind slots."""

from __future__ import annotations

from dataclasses import replace

import pytest
from labeling_values import LEASE, answered, at, flag, leased, task

from relearn_labeling.domain.errors import LeaseExpired, NoSlot, TaskNotAssigned
from relearn_labeling.domain.facts import Disputed
from relearn_labeling.domain.slots import can_lease, expire_leases, free_slots, renew_lease, return_task
from relearn_labeling.domain.tasks import LabelTask, LeaseEnd, SkipReason, State, Stream


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
    returned = return_task(leased(task(), "ann"), "ann", now=at(1))[0]

    assert returned.leases[0].ended is LeaseEnd.RETURNED
    assert free_slots(returned, at(1)) == (1,)


def test_returning_a_lease_that_ran_out_is_no_error():
    assert return_task(leased(task(), "ann"), "ann", now=at(500))[0].leases[0].ended is LeaseEnd.EXPIRED


@pytest.mark.parametrize("annotator", ["ben", "ann"])
def test_only_a_held_lease_can_be_returned(annotator: str):
    returned = return_task(leased(task(), "ann"), "ann", now=at(1))[0]

    with pytest.raises(TaskNotAssigned):
        return_task(returned, annotator, now=at(2))[0]


def test_a_renewed_lease_lasts_as_long_as_a_new_one_and_keeps_its_slot():
    renewed, lease = renew_lease(leased(task(), "ann"), "ann", duration=LEASE, now=at(100))

    assert renewed.leases == (lease,)
    assert (lease.slot, lease.expires_at, lease.leased_at) == (1, at(220), at(0))


def test_a_renewal_with_a_shorter_lease_takes_no_time_away():
    _, lease = renew_lease(leased(task(), "ann"), "ann", duration=LEASE / 4, now=at(10))

    assert lease.expires_at == at(120)


def test_a_lease_that_ran_out_is_not_renewed():
    with pytest.raises(LeaseExpired):
        renew_lease(leased(task(), "ann"), "ann", duration=LEASE, now=at(120))


def test_a_task_assigned_to_some_has_no_slot_for_others():
    assigned = replace(task(), assigned_to=("ben",))

    assert can_lease(assigned, "ben", at(0))
    assert not can_lease(assigned, "ann", at(0))


def doubted(task: LabelTask, annotator: str, reason: SkipReason = SkipReason.UNCLEAR):
    return return_task(leased(task, annotator), annotator, now=at(1), reason=reason)


def test_a_task_that_two_annotators_find_without_an_answer_closes_as_disputed():
    once, nothing = doubted(task(), "ann", SkipReason.UNUSABLE)
    closed, facts = doubted(once, "ben")

    assert (once.state, nothing) == (State.OPEN, ())
    assert (closed.state, closed.revision, closed.waiting) == (State.DISPUTED, 1, ())
    assert facts == (Disputed(task=closed, at=at(1), unanswerable=True),)


def test_who_does_not_know_the_field_closes_nothing():
    once, _ = doubted(task(), "ann")

    assert doubted(once, "ben", SkipReason.NOT_MY_FIELD)[0].state is State.OPEN


def test_a_task_that_somebody_is_at_stays_open_whatever_others_find():
    audit = leased(task(flag(1, Stream.AUDIT)), "cat")

    assert doubted(doubted(audit, "ann")[0], "ben")[0].state is State.OPEN
