"""What an import does to the one task of its sample."""

from __future__ import annotations

import pytest
from labeling_values import LABEL_SET, POLICY, answered, at, flag, leased, request, said, task, whole

from relearn_labeling.domain.errors import AnsweredAlready, NoSlot
from relearn_labeling.domain.facts import Accepted, Answered, Disputed, Opened, Superseded
from relearn_labeling.domain.imports import MOST_ANSWERS, GivenAnswer, import_sample
from relearn_labeling.domain.tasks import Policy, Source, State, Truth

CAME = request(7, source=Source.IMPORT)


def given(annotator, class_name):
    return GivenAnswer(annotation_id=f"of-{annotator}", annotator=f"import:{annotator}", regions=(whole(class_name),))


def bring(known, *answers, policy=POLICY, seconds=9):
    return import_sample(
        known, CAME, answers, label_set=LABEL_SET, policy=policy, label_id="label-imported", now=at(seconds)
    )


def test_a_record_without_an_answer_opens_a_task():
    opened, facts = bring(None, policy=Policy(overlap_other=2))

    assert (opened.state, opened.overlap) == (State.OPEN, 2)
    assert [type(fact) for fact in facts] == [Opened]


def test_an_answer_is_the_label_where_the_policy_asks_for_one():
    accepted, facts = bring(None, given("ann", "boot"))

    assert (accepted.state, said(accepted), accepted.label.annotation_ids) == (State.ACCEPTED, ["boot"], ("of-ann",))
    assert [type(fact) for fact in facts] == [Opened, Answered, Accepted]


def test_an_answer_waits_for_others_where_the_policy_asks_for_more():
    opened, facts = bring(None, given("ann", "boot"), policy=Policy(overlap_other=2))

    assert (opened.state, len(opened.annotations), opened.label) == (State.OPEN, 1, None)
    assert [type(fact) for fact in facts] == [Opened, Answered]


def test_an_answer_takes_no_slot_that_somebody_holds():
    held = leased(task(flag(1)), "bob")

    imported, _ = bring(held, given("ann", "boot"))

    assert (imported.state, imported.overlap, imported.annotations[0].slot) == (State.OPEN, 2, 2)
    assert imported.leases == held.leases


def test_an_answer_to_a_settled_task_counts_too():
    accepted = answered(task(flag(1)), ann="boot")

    same, told = bring(accepted, given("zoe", "boot"))
    disputed, differs = bring(accepted, given("zoe", "bag"))
    replaced, more = bring(disputed, given("kim", "bag"))

    assert (same.label.id, same.label.answers, same.state) == (accepted.label.id, 2, State.ACCEPTED)
    assert [type(fact) for fact in told] == [Opened, Answered, Accepted]
    assert (disputed.state, said(disputed)) == (State.DISPUTED, ["boot"])
    assert [type(fact) for fact in differs] == [Opened, Answered, Disputed]
    assert (replaced.state, said(replaced)) == (State.ACCEPTED, ["bag"])
    assert [type(fact) for fact in more] == [Answered, Superseded, Accepted]  # the same import is one request


def test_nobody_answers_twice_and_no_task_has_more_answers_than_a_policy_can_ask_for():
    full, _ = bring(None, *(given(f"a{number}", "boot") for number in range(MOST_ANSWERS)))

    with pytest.raises(AnsweredAlready):
        bring(full, given("a3", "bag"))
    with pytest.raises(NoSlot):
        bring(full, given("ann", "boot"))


def test_an_answer_that_was_given_elsewhere_is_counted_where_answers_of_annotators_are_weighed():
    accepted, _ = bring(None, given("ann", "boot"), policy=Policy(truth=Truth.DAWID_SKENE))

    assert (accepted.state, said(accepted)) == (State.ACCEPTED, ["boot"])
