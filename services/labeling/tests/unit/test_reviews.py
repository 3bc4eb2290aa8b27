from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from labeling_values import LABEL_SET, NOW, POLICY, answered, at, flag, leased, said, task, whole, whole_answer

from relearn_labeling.domain.answers import decide, submit
from relearn_labeling.domain.errors import InvalidReview, NoReason, NotInLabelSet, OwnAnswer, TaskMovedOn
from relearn_labeling.domain.facts import Accepted, Opened, Superseded
from relearn_labeling.domain.flags import flag_task
from relearn_labeling.domain.reviews import Rejection, Review, Verdict, agreement, doubt, review
from relearn_labeling.domain.slots import can_lease
from relearn_labeling.domain.tasks import LabelTask, Policy, State, Stream, Truth

THREE = task(flag(1, Stream.AUDIT))
DISPUTED = answered(THREE, ann="boot", ben="bag", cat="shirt")
MOSTLY_BOOT = answered(THREE, ann="boot", ben="boot", cat="bag")


def settle(known: LabelTask, verdict: Verdict | Rejection, *, reviewer: str = "rita", policy: Policy = POLICY) -> Any:
    seen = frozenset(one.id for one in known.annotations)
    asked = Review(reviewer=reviewer, annotation_ids=seen, verdict=verdict)
    return review(known, asked, label_set=LABEL_SET, policy=policy, new_ids=("label-r", "again"), now=at(60))


def accept(known: LabelTask, class_name: str, **more: Any) -> Any:
    return settle(known, Verdict(regions=(whole(class_name),), annotation_id=""), **more)


def reject(known: LabelTask, *annotators: str) -> Any:
    ids = tuple(f"annotation-{annotator}" for annotator in annotators)
    return settle(known, Rejection(annotation_ids=ids, reason="it has no laces"))


def test_a_dispute_is_settled_by_what_the_reviewer_says_and_who_agrees_is_told():
    reviewed, (fact,) = accept(DISPUTED, "bag")

    assert (reviewed.state, said(reviewed), doubt(reviewed)) == (State.ACCEPTED, ["bag"], None)
    assert reviewed.label.annotation_ids == ("annotation-ben",)
    assert (reviewed.label.agreement, reviewed.label.reviewer) == (pytest.approx(1 / 3), "rita")
    assert isinstance(fact, Accepted)
    assert not fact.repeated


def test_another_label_replaces_the_one_that_stood_and_the_same_one_keeps_its_id():
    replaced, (superseded, accepted) = accept(MOSTLY_BOOT, "bag")
    confirmed, (again,) = accept(MOSTLY_BOOT, "boot")

    assert isinstance(superseded, Superseded)
    assert (superseded.label_id, superseded.by_label_id) == (MOSTLY_BOOT.label.id, "label-r")
    assert accepted.label is replaced.label
    assert (confirmed.label.id, confirmed.label.reviewer, again.repeated) == (MOSTLY_BOOT.label.id, "rita", True)


def test_a_reviewers_label_is_certain_where_labels_have_posteriors():
    reviewed, _ = accept(DISPUTED, "bag", policy=Policy(truth=Truth.WEIGHTED))

    assert reviewed.label.posterior == 1.0


def test_what_a_reviewer_settled_no_later_answer_changes():
    reviewed, _ = accept(DISPUTED, "bag")
    wider = answered(task_with_more_slots(reviewed), dan="boot", eve="boot")

    assert (wider.state, said(wider), wider.label.id) == (State.ACCEPTED, ["bag"], "label-r")
    assert (wider.label.answers, wider.label.agreement) == (5, pytest.approx(1 / 5))


def task_with_more_slots(known: LabelTask) -> LabelTask:
    policy = Policy(overlap_audit=5)
    return flag_task(known, flag(2, Stream.AUDIT), label_set_version=1, policy=policy, now=NOW)[0]


def test_who_is_refused_is_asked_again_and_others_only_once_the_slot_has_waited():
    reopened, (opened,) = reject(DISPUTED, "ben")

    assert isinstance(opened, Opened)
    assert (reopened.state, opened.created, reopened.waiting) == (State.OPEN, False, reopened.reasons)
    assert [one.annotator for one in reopened.annotations] == ["ann", "cat"]
    assert reopened.rejected_of("ben").rejection == "it has no laces"
    assert reopened.rejected_of("ann") is None
    assert reopened.lease_of("ben").is_live(at(120))
    assert not can_lease(reopened, "dan", at(120))
    late = at(60) + POLICY.patience + timedelta(seconds=1)
    assert can_lease(reopened, "dan", late)
    assert can_lease(reopened, "ben", late)

    again, _, _ = submit(
        reopened,
        whole_answer("ben", "boot"),
        label_set=LABEL_SET,
        policy=POLICY,
        annotation_id="second",
        label_id="label-s",
        now=at(90),
    )
    assert (again.state, said(again)) == (State.ACCEPTED, ["boot"])


def test_a_label_whose_answers_are_all_refused_holds_no_longer_and_another_stands_until_it_is_replaced():
    fallen, (superseded, opened) = reject(MOSTLY_BOOT, "ann", "ben")
    standing, facts = reject(MOSTLY_BOOT, "cat")

    assert isinstance(opened, Opened)
    assert (fallen.label, superseded.label_id, superseded.by_label_id) == (None, MOSTLY_BOOT.label.id, "")
    assert standing.label is MOSTLY_BOOT.label
    assert [type(fact) for fact in facts] == [Opened]
    decided, _ = decide(standing, label_set=LABEL_SET, policy=POLICY, label_id="label-d", now=at(90))
    assert decided.label.id == MOSTLY_BOOT.label.id


def test_a_task_is_reviewed_by_nobody_who_answered_it_even_if_their_answer_was_refused():
    with pytest.raises(OwnAnswer):
        accept(DISPUTED, "bag", reviewer="ann")
    refused, _ = reject(DISPUTED, "ben")
    closed, _ = decide(refused, label_set=LABEL_SET, policy=POLICY, label_id="label-d", now=at(90))
    with pytest.raises(OwnAnswer):
        accept(closed, "bag", reviewer="ben")


def test_a_review_of_other_answers_than_there_are_is_refused():
    with pytest.raises(TaskMovedOn):
        accept(leased(THREE, "ann"), "bag")
    few = Review(reviewer="rita", annotation_ids=frozenset(), verdict=Verdict(regions=(), annotation_id=""))
    with pytest.raises(TaskMovedOn):
        review(DISPUTED, few, label_set=LABEL_SET, policy=POLICY, new_ids=("label-r", "again"), now=NOW)


@pytest.mark.parametrize(
    ("verdict", "error"),
    [
        (Verdict(regions=(whole("hat"),), annotation_id=""), NotInLabelSet),
        (Verdict(regions=(whole("bag"),), annotation_id="annotation-of-nobody"), InvalidReview),
        (Rejection(annotation_ids=(), reason="no"), InvalidReview),
        (Rejection(annotation_ids=("annotation-of-nobody",), reason="no"), InvalidReview),
        (Rejection(annotation_ids=("annotation-ann",), reason=" "), NoReason),
        (Rejection(annotation_ids=("annotation-ann",), reason="n" * 1001), NoReason),
    ],
)
def test_a_review_that_makes_no_sense_is_refused(verdict, error):
    with pytest.raises(error):
        settle(DISPUTED, verdict)


def test_doubt_is_whole_for_disputes_and_for_labels_as_large_as_their_answers_or_posterior_have_it():
    alone = answered(task(), ann="boot")

    assert doubt(THREE) is None
    assert doubt(DISPUTED) == 1.0
    assert doubt(MOSTLY_BOOT) == pytest.approx(1 / 3)
    assert doubt(alone) is None


def test_agreement_is_the_mean_over_pairs():
    assert agreement(MOSTLY_BOOT.annotations, iou=0.5) == pytest.approx(1 / 3)
    assert agreement(MOSTLY_BOOT.annotations[:1], iou=0.5) == 1.0
