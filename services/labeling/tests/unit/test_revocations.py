from __future__ import annotations

from typing import Any

from labeling_values import LABEL_SET, NOW, POLICY, answered, at, flag, said, task, whole

from relearn_labeling.domain.facts import Accepted, Opened, Superseded
from relearn_labeling.domain.flags import flag_task
from relearn_labeling.domain.reviews import Review, Verdict, review
from relearn_labeling.domain.revocations import Became, Revocation, Revoked, revoke
from relearn_labeling.domain.slots import can_lease
from relearn_labeling.domain.tasks import LabelTask, Policy, State, Stream

THREE = task(flag(1, Stream.AUDIT))


def revoked(known: LabelTask, annotator: str = "ann", **when: Any) -> Revoked:
    revocation = Revocation(
        id="revocation-1",
        project_id="clothes",
        annotator=annotator,
        reason="at random",
        person="mia",
        **({"since": NOW, "created_at": at(30)} | when),
    )
    return revoke(known, revocation, label_set=LABEL_SET, policy=POLICY, label_id="label-r", now=at(60))


def test_a_label_that_rests_on_the_annotator_alone_holds_no_longer_and_others_are_asked():
    done = revoked(answered(task(), ann="boot"))

    superseded, opened = done.facts
    assert (done.became, done.answers, done.task.state, done.task.label) == (Became.REOPENED, 1, State.OPEN, None)
    assert isinstance(superseded, Superseded)
    assert (superseded.label_id, superseded.by_label_id) == ("label-by-ann", "")
    assert isinstance(opened, Opened)
    assert done.task.waiting == done.task.reasons
    assert done.task.withdrawn[0].revoked
    assert can_lease(done.task, "ben", at(60))
    assert not can_lease(done.task, "ann", at(60))


def test_where_others_remain_they_decide_anew():
    known = answered(THREE, ann="boot", ben="bag", cat="shirt")
    two_of_three = answered(THREE, ann="boot", ben="boot", cat="bag")

    still_disputed, kept = revoked(known), revoked(two_of_three, "cat")
    left_apart = revoked(two_of_three, "ben")

    assert (still_disputed.became, still_disputed.task.state) == (Became.REOPENED, State.OPEN)
    (accepted,) = kept.facts
    assert isinstance(accepted, Accepted)
    assert (accepted.repeated, accepted.label.agreement, accepted.label.answers) == (True, 1.0, 2)
    assert (left_apart.became, said(left_apart.task)) == (Became.REOPENED, ["boot"])


def test_another_label_of_those_who_remain_supersedes():
    known = answered(THREE, ann="boot", ben="boot", cat="bag")
    wider, _ = flag_task(known, flag(2, Stream.AUDIT), label_set_version=1, policy=Policy(overlap_audit=4), now=NOW)
    disputed = answered(wider, dan="bag")
    assert (disputed.state, said(disputed)) == (State.DISPUTED, ["boot"])

    done = revoked(disputed, "ann")

    superseded, accepted = done.facts
    assert isinstance(superseded, Superseded)
    assert isinstance(accepted, Accepted)
    assert (superseded.label_id, superseded.by_label_id) == (known.label.id, "label-r")
    assert (done.became, said(done.task)) == (Became.DECIDED, ["bag"])


def test_only_answers_of_the_time_are_taken_back_and_a_second_time_changes_nothing():
    known = answered(task(), ann="boot")

    untouched = revoked(known, since=at(1))
    later = revoked(known, created_at=NOW)
    done = revoked(known)
    again = revoked(done.task)

    assert (untouched.task, later.task) == (known, known)
    assert (again.task, again.facts, again.answers) == (done.task, (), 0)


def test_what_a_reviewer_settled_goes_on_without_the_votes():
    known = answered(THREE, ann="boot", ben="bag", cat="shirt")
    said_bag = Review(
        reviewer="rita",
        annotation_ids=frozenset(one.id for one in known.annotations),
        verdict=Verdict(regions=(whole("bag"),), annotation_id=""),
    )
    reviewed, _ = review(known, said_bag, label_set=LABEL_SET, policy=POLICY, new_ids=("label-v", "again"), now=at(20))

    done = revoked(reviewed, "ben")

    assert (done.became, said(done.task), done.task.label.id) == (Became.DECIDED, ["bag"], "label-v")
    assert (done.task.label.annotation_ids, done.task.label.answers) == ((), 2)
