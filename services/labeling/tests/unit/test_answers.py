"""Answers, the majority, and what more answers change."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from labeling_values import LABEL_SET, NOW, POLICY, answered, at, flag, leased, said, task, whole_answer

from relearn_labeling.domain.answers import Answer, decide, is_abandoned, submit
from relearn_labeling.domain.errors import LabelSetChanged, LeaseExpired, NotInLabelSet, TaskClosed, TaskNotAssigned
from relearn_labeling.domain.facts import Accepted, Answered, Disputed, Opened, Superseded
from relearn_labeling.domain.flags import flag_task
from relearn_labeling.domain.regions import LabelSet, Region, RegionKind, Segment
from relearn_labeling.domain.slots import return_task
from relearn_labeling.domain.tasks import LabelTask, Policy, State, Stream, Truth

HOUR = timedelta(hours=1)


def give(known: LabelTask, annotator: str, text: str, seconds: float = 1, label_set_version: int | None = None):
    answer = replace(whole_answer(annotator, text), label_set_version=label_set_version)
    ids = {"annotation_id": "annotation", "label_id": "new-label"}
    return submit(known, answer, label_set=LABEL_SET, policy=POLICY, now=at(seconds), **ids)


def settle(known: LabelTask):
    return decide(known, label_set=LABEL_SET, policy=POLICY, label_id="late", now=at(3600))


def reopened(known: LabelTask, overlap: int) -> LabelTask:
    policy = Policy(overlap_audit=overlap)
    return flag_task(known, flag(9, Stream.AUDIT), label_set_version=1, policy=policy, now=NOW)[0]


def test_the_only_answer_wanted_becomes_the_label():
    accepted, annotation, facts = give(leased(task(), "ann"), "ann", "boot")

    assert accepted.state is State.ACCEPTED
    assert accepted.label is not None
    assert (accepted.label.id, said(accepted), accepted.label.agreement) == ("new-label", ["boot"], 1.0)
    assert facts[1] == Accepted(task=accepted, label=accepted.label, repeated=False)
    assert (accepted.revision, accepted.leases, annotation.slot) == (1, (), 1)


def test_nothing_is_decided_before_the_last_slot_even_when_the_majority_is_clear():
    two = answered(task(flag(1, Stream.AUDIT)), ann="boot", ben="boot")

    assert (two.state, two.label) == (State.OPEN, None)


def test_the_majority_of_all_answers_is_accepted_with_its_agreement():
    accepted = answered(task(flag(1, Stream.AUDIT)), ann="boot", ben="bag", cat="boot")

    assert accepted.label is not None
    assert accepted.label.annotation_ids == ("annotation-ann", "annotation-cat")
    assert accepted.label.agreement == pytest.approx(2 / 3)


def test_answers_without_a_majority_close_the_task_as_disputed():
    _, _, facts = give(leased(answered(task(flag(1, Stream.AUDIT)), ann="boot", ben="bag"), "cat"), "cat", "shirt")

    assert [type(fact) for fact in facts] == [Answered, Disputed]


def test_more_answers_for_the_same_class_keep_the_label_and_count_for_it():
    first = answered(task(), ann="boot")

    more = answered(reopened(first, 3), ben="boot", cat="bag")

    assert (first.label, more.label) != (None, None)
    assert more.label.id == first.label.id
    assert (more.label.answers, len(more.label.annotation_ids), more.revision) == (3, 2, 2)


def test_more_answers_for_another_class_replace_the_label():
    two = answered(reopened(answered(task(), ann="boot"), 3), ben="bag")

    replaced, _, facts = give(leased(two, "cat"), "cat", "bag")

    assert [type(fact) for fact in facts] == [Answered, Superseded, Accepted]
    assert facts[1] == Superseded(task=replaced, label_id="label-by-ann", by_label_id="new-label")
    assert facts[2].repeated is False


def test_a_dispute_after_more_answers_takes_the_label_not_back():
    disputed = answered(reopened(answered(task(), ann="boot"), 3), ben="bag", cat="shirt")

    assert (disputed.state, disputed.label.id, disputed.revision) == (State.DISPUTED, "label-by-ann", 2)


def test_an_answer_without_a_lease_is_refused():
    with pytest.raises(TaskNotAssigned):
        give(leased(task(flag(1, Stream.AUDIT)), "ann"), "ben", "boot")


def test_an_answer_after_giving_the_lease_back_is_refused():
    with pytest.raises(TaskNotAssigned):
        give(return_task(leased(task(), "ann"), "ann", now=NOW)[0], "ann", "boot")


def test_an_answer_after_the_lease_ran_out_is_refused_even_while_its_slot_is_free():
    with pytest.raises(LeaseExpired):
        give(leased(task(), "ann"), "ann", "boot", seconds=120)


def test_an_answer_after_the_lease_ran_out_and_another_took_the_slot_is_refused_as_expired():
    with pytest.raises(LeaseExpired):
        give(leased(leased(task(), "ann"), "ben", seconds=120), "ann", "boot", seconds=121)


def test_an_answer_to_a_closed_task_is_refused():
    with pytest.raises(TaskClosed):
        give(answered(task(), ann="boot"), "ben", "boot")


def test_a_class_outside_of_the_label_set_is_refused():
    with pytest.raises(NotInLabelSet, match="hat"):
        give(leased(task(), "ann"), "ann", "hat")


def test_an_answer_in_another_label_set_than_the_tasks_is_refused():
    with pytest.raises(LabelSetChanged, match="answered in label set 1, not 2"):
        give(leased(task(), "ann"), "ann", "boot", label_set_version=2)
    assert give(leased(task(), "ann"), "ann", "boot", label_set_version=1)[0].state is State.ACCEPTED


def test_a_label_takes_the_time_of_all_its_answers():
    two = answered(task(flag(1, Stream.AUDIT)), ann="boot", ben="bag")
    timed = replace(whole_answer("cat", "boot"), time_spent=timedelta(seconds=4))

    accepted, _, _ = submit(
        leased(two, "cat"), timed, label_set=LABEL_SET, policy=POLICY, annotation_id="a", label_id="l", now=NOW
    )

    assert accepted.label.time_spent == timedelta(seconds=4)
    assert answered(task(), ann="boot").label.time_spent is None


def test_a_task_is_abandoned_when_it_was_untouched_for_the_patience_and_nobody_is_left():
    one = answered(task(flag(1, Stream.AUDIT)), ann="boot")

    assert is_abandoned(one, seen={"ann"}, patience=HOUR, now=at(3600))
    assert is_abandoned(one, seen=set(), patience=HOUR, now=at(3600))
    assert not is_abandoned(one, seen={"ann", "ben"}, patience=HOUR, now=at(3600))
    assert not is_abandoned(one, seen={"ann"}, patience=HOUR, now=at(3599))
    assert not is_abandoned(leased(one, "ben", seconds=3599), seen={"ann"}, patience=HOUR, now=at(3600))


def test_a_task_without_any_answer_waits_for_ever():
    assert not is_abandoned(task(), seen=set(), patience=HOUR, now=at(10**6))


def test_who_gave_a_task_back_is_not_left_to_ask():
    returned, _ = return_task(leased(answered(task(flag(1, Stream.AUDIT)), ann="boot"), "ben"), "ben", now=NOW)

    assert is_abandoned(returned, seen={"ann", "ben"}, patience=HOUR, now=at(3600))
    assert not is_abandoned(returned, seen={"ann", "ben", "cat"}, patience=HOUR, now=at(3600))
    assert not is_abandoned(leased(returned, "ben", seconds=9), seen={"ben"}, patience=HOUR, now=at(3600))


@pytest.mark.parametrize("answers", [{"ann": "boot"}, {"ann": "boot", "ben": "bag"}])
def test_an_abandoned_task_is_settled_by_the_answers_there_are_and_reopens_for_a_flag_that_wants_more(answers):
    settled, facts = decide(
        answered(task(flag(1, Stream.AUDIT)), **answers),
        label_set=LABEL_SET,
        policy=POLICY,
        label_id="late",
        now=at(3600),
    )

    reopened, more = flag_task(settled, flag(2, Stream.AUDIT), label_set_version=1, policy=POLICY, now=at(3601))

    assert (settled.state is not State.OPEN, len(facts)) == (True, 1)
    assert (reopened.state, reopened.label) == (State.OPEN, settled.label)
    assert [type(fact) for fact in more] == [Opened]


def test_an_abandoned_task_has_enough_answers_for_a_flag_that_wants_no_more():
    settled, _ = decide(
        answered(task(flag(1, Stream.AUDIT)), ann="boot"),
        label_set=LABEL_SET,
        policy=POLICY,
        label_id="late",
        now=at(3600),
    )

    told, more = flag_task(settled, flag(2, Stream.SELECTED), label_set_version=1, policy=POLICY, now=at(3601))

    assert (told.state, more[1].repeated) == (State.ACCEPTED, True)


def test_where_the_answers_do_not_agree_one_more_is_asked_for_up_to_the_project_s_most():
    policy = Policy(overlap_audit=2, most_overlap=3)
    two = answered(task(flag(1, Stream.AUDIT), policy=policy), policy=policy, ann="boot", ben="bag")
    assert (two.state, two.overlap, two.revision) == (State.OPEN, 3, 0)

    assert said(answered(two, policy=policy, cat="bag")) == ["bag"]
    assert answered(two, policy=policy, cat="shirt").state is State.DISPUTED


def test_a_task_that_nobody_is_left_to_answer_is_not_asked_once_more():
    policy = Policy(overlap_audit=3, most_overlap=5)
    two = answered(task(flag(1, Stream.AUDIT), policy=policy), policy=policy, ann="boot", ben="bag")

    assert decide(two, label_set=LABEL_SET, policy=policy, label_id="l", now=NOW)[0].state is State.DISPUTED


def test_a_posterior_below_the_project_s_asks_for_one_more_answer():
    policy = Policy(truth=Truth.DAWID_SKENE, most_overlap=4)

    one = answered(task(policy=policy), policy=policy, ann="boot")

    assert (one.state, one.overlap) == (State.OPEN, 2)
    assert said(answered(one, policy=policy, ben="boot")) == ["boot"]
    assert answered(one, policy=policy, ben="bag").overlap == 3


def test_a_task_assigned_to_some_waits_for_nobody_else():
    assigned = replace(answered(task(flag(1, Stream.AUDIT)), ann="boot"), assigned_to=("ann",))

    assert is_abandoned(assigned, seen={"ann", "ben"}, patience=HOUR, now=at(3600))


def test_a_consensus_that_no_event_can_tell_is_a_dispute():
    speech = LabelSet(version=1, classes=("speech",), kinds=frozenset({RegionKind.SEGMENT}), transcripts=True)
    things = {
        name: [
            Region(
                part=Segment(start_s=10.0 * (3 * group + i), end_s=10.0 * (3 * group + i) + 5),
                class_name="speech",
                id=f"{name}{i}",
                transcript=name * 90_000,
            )
            for i in range(3)
        ]
        for group, name in enumerate("xyz")
    }
    known = task(flag(1, Stream.AUDIT))

    for annotator, heard in [("ann", "xy"), ("ben", "yz"), ("cat", "xz")]:
        regions = tuple(region for name in heard for region in things[name])
        known, _, facts = submit(
            leased(known, annotator),
            Answer(annotator=annotator, regions=regions),
            label_set=speech,
            policy=POLICY,
            annotation_id=annotator,
            label_id="label",
            now=NOW,
        )

    assert [type(fact) for fact in facts] == [Answered, Disputed]
