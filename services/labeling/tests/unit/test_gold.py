"""Gold tasks: who gets one when, and that each ends as any other task would."""

from __future__ import annotations

from dataclasses import replace

import pytest
from labeling_values import LABEL_SET, LEASE, POLICY, answered, at, flag, task, whole, whole_answer

from relearn_labeling.domain import gold
from relearn_labeling.domain.errors import LeaseExpired, NotInLabelSet, TaskClosed, TaskNotAssigned
from relearn_labeling.domain.order import blind_why
from relearn_labeling.domain.tasks import State, Stream, task_id

GOLD = gold.GoldTask(
    id=task_id("clothes/sample/gold", 1),
    project_id="clothes",
    sample_id="clothes/sample/gold",
    label_set_version=1,
    regions=(whole("boot"),),
)


def turn(instead_of=None, annotator: str = "ann") -> gold.GoldTurn:
    return gold.give(GOLD, annotator, instead_of=instead_of or task(), duration=LEASE, now=at(0))


def answer(known: gold.GoldTurn, text: str, seconds: float = 1):
    given = whole_answer(known.annotator, text)
    return gold.answer(
        known, given, label_set=LABEL_SET, iou=POLICY.iou, annotation_id=f"annotation-{text}", now=at(seconds)
    )[0]


def test_about_the_share_of_an_annotators_tasks_are_gold_ones_and_the_same_ones_each_time():
    def turns(annotator: str, salt: str = "salt") -> list[bool]:
        return [gold.is_gold_turn(salt=salt, annotator=annotator, given=n, share=0.2) for n in range(2000)]

    assert 340 < sum(turns("ann")) < 460
    assert turns("ann") == turns("ann")
    assert turns("ann") != turns("ben")
    assert turns("ann") != turns("ann", salt="another")


@pytest.mark.parametrize(("share", "expected"), [(0.0, False), (1.0, True)])
def test_no_share_is_none_and_all_of_it_is_all(share: float, expected: bool):
    drawn = {gold.is_gold_turn(salt="s", annotator="ann", given=n, share=share) for n in range(100)}

    assert drawn == {expected}


def test_a_turn_tells_what_the_task_in_its_place_would_have_told():
    audit = task(flag(1, Stream.AUDIT))

    assert turn(audit).why == blind_why(audit)
    assert gold.as_task(answer(turn(audit), "boot")).state is State.OPEN  # two answers to go: it would not have closed
    last = answered(audit, ben="boot", cat="boot")
    assert gold.as_task(answer(turn(replace(last, state=State.OPEN)), "boot")).state is State.ACCEPTED


@pytest.mark.parametrize(("text", "score"), [("boot", 1.0), ("bag", 0.0)])
def test_an_answer_is_scored_by_the_right_one(text: str, score: float):
    assert answer(turn(), text).score == score


def test_what_is_refused_of_a_gold_task_is_refused_as_of_any_other():
    with pytest.raises(NotInLabelSet):
        answer(turn(), "hat")
    with pytest.raises(LeaseExpired):
        answer(turn(), "boot", seconds=120)
    with pytest.raises(TaskClosed):
        answer(answer(turn(), "boot"), "bag")
    with pytest.raises(TaskNotAssigned):
        answer(answer(turn(task(flag(1, Stream.AUDIT))), "boot"), "bag")
    with pytest.raises(TaskNotAssigned):
        answer(gold.give_back(turn(), now=at(1)), "boot")


def test_a_turn_is_renewed_like_a_lease():
    assert gold.renew(turn(), duration=LEASE, now=at(100)).lease.expires_at == at(220)
    with pytest.raises(LeaseExpired):
        gold.renew(turn(), duration=LEASE, now=at(120))
