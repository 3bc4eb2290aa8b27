"""What a flag does to the one task of its sample."""

from __future__ import annotations

from dataclasses import replace

import pytest
from labeling_values import NOW, POLICY, answered, at, flag, task

from relearn.monitoring.v1 import flag_pb2
from relearn_labeling.domain.errors import InvalidFlag
from relearn_labeling.domain.facts import Accepted, Disputed, Opened
from relearn_labeling.domain.flags import MOST_FLAG_BYTES, flag_task
from relearn_labeling.domain.tasks import LabelTask, Policy, State, Stream, task_id
from relearn_labeling.publish import event
from relearn_runtime.envelope import encode


def join(known: LabelTask, *args, policy: Policy = POLICY, **kwargs):
    return flag_task(known, flag(*args, **kwargs), label_set_version=1, policy=policy, now=at(9))


def test_the_first_flag_opens_a_task_that_wants_the_answers_of_its_stream():
    opened, facts = flag_task(None, flag(1, Stream.AUDIT), label_set_version=1, policy=POLICY, now=at(0))

    assert (opened.state, opened.overlap, opened.id) == (State.OPEN, 3, task_id("clothes/sample/a", 1))
    assert facts == (Opened(task=opened, reason=flag(1, Stream.AUDIT), created=True),)


def test_the_task_of_a_sample_has_the_same_id_wherever_its_first_flag_is_handled():
    assert task(flag(1)).id == task(flag(2, Stream.AUDIT)).id
    assert task_id("clothes/sample/a", 1) != task_id("clothes/sample/a", 2)


def test_a_flag_joins_an_open_task_and_raises_its_overlap():
    joined, facts = join(task(flag(1)), 2, Stream.AUDIT)

    assert ([known.id for known in joined.flags], joined.overlap) == (["flag-1", "flag-2"], 3)
    assert facts == (Opened(task=joined, reason=flag(2, Stream.AUDIT), created=False),)


def test_the_overlap_never_sinks():
    joined, _ = join(task(flag(1, Stream.AUDIT)), 2, policy=Policy(overlap_selected=1, overlap_audit=1))

    assert joined.overlap == 3


def test_a_flag_that_the_task_has_already_changes_nothing():
    known = answered(task(flag(1)), ann="boot")

    assert join(known, 1) == (known, ())


def test_a_label_with_enough_answers_is_told_again_with_all_flags_and_no_answer_is_spent():
    accepted = answered(task(flag(1, Stream.AUDIT)), ann="boot", ben="boot", cat="bag")

    told, facts = join(accepted, 2, Stream.DISAGREEMENT)

    assert (told.state, told.revision, told.label) == (State.ACCEPTED, 2, accepted.label)
    assert facts[0] == Opened(
        task=replace(told, settled=1, revision=1), reason=flag(2, Stream.DISAGREEMENT), created=False
    )
    assert facts[1] == Accepted(task=told, label=accepted.label, repeated=True)
    assert [known.id for known in told.flags] == ["flag-1", "flag-2"]
    assert told.annotations == accepted.annotations


def test_a_label_with_too_few_answers_for_the_new_flag_reopens_its_task():
    reopened, facts = join(answered(task(flag(1)), ann="boot"), 2, Stream.AUDIT)

    assert (reopened.state, reopened.overlap, reopened.revision) == (State.OPEN, 3, 1)
    assert [type(fact) for fact in facts] == [Opened]
    assert [waiting.id for waiting in reopened.waiting] == ["flag-2"]


def test_a_disputed_task_reopens_for_a_higher_overlap():
    disputed = answered(task(flag(1, Stream.AUDIT)), ann="boot", ben="shirt", cat="bag")

    reopened, facts = join(disputed, 2, Stream.DISAGREEMENT, policy=Policy(overlap_disagreement=5))

    assert (disputed.state, reopened.state, reopened.overlap) == (State.DISPUTED, State.OPEN, 5)
    assert [type(fact) for fact in facts] == [Opened]


def test_a_disputed_task_tells_its_dispute_again_for_a_flag_of_the_same_overlap():
    disputed = answered(task(flag(1, Stream.AUDIT)), ann="boot", ben="shirt", cat="bag")

    told, facts = join(disputed, 2, Stream.DISAGREEMENT)

    assert (told.state, told.revision) == (State.DISPUTED, 2)
    assert [type(fact) for fact in facts] == [Opened, Disputed]
    assert told.waiting == ()


def test_a_task_takes_no_more_flags_than_each_of_its_events_can_copy():
    long = [replace(flag(n), content=flag_pb2.Flag(reason="x" * 1000).SerializeToString()) for n in range(900)]
    fit = MOST_FLAG_BYTES // len(long[0].content)
    full = replace(task(long[0]), reasons=tuple(long[: fit - 1]))
    full, facts = flag_task(full, long[fit - 1], label_set_version=1, policy=POLICY, now=at(0))

    with pytest.raises(InvalidFlag, match="no event can hold more"):
        flag_task(full, long[fit], label_set_version=1, policy=POLICY, now=at(0))
    disputed = answered(replace(full, overlap=2), ann="boot", ben="bag")
    accepted = answered(replace(full, overlap=15), **{f"annotator-{n}": "boot" for n in range(15)})

    outcomes = [Disputed(task=disputed, at=NOW), Accepted(task=accepted, label=accepted.label, repeated=False)]
    for fact in [*facts, *outcomes]:
        assert encode(event(fact), id="e", time=NOW).key == full.id.encode()


def test_a_sample_of_another_project_is_refused():
    with pytest.raises(InvalidFlag, match="none of project"):
        flag_task(None, replace(flag(), project_id="cloth"), label_set_version=1, policy=POLICY, now=at(0))
