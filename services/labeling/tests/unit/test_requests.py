"""What a request for a label does to the one task of its sample."""

from __future__ import annotations

from dataclasses import replace

import pytest
from labeling_values import answered, at, flag, request, task

from relearn_labeling.domain.errors import InvalidRequest
from relearn_labeling.domain.facts import Opened
from relearn_labeling.domain.requests import MOST_REQUESTS, request_label
from relearn_labeling.domain.tasks import State, Stream, task_id


def ask(known, *args, overlap=1, **kwargs):
    return request_label(known, request(*args, **kwargs), label_set_version=1, overlap=overlap, now=at(9))


def test_a_request_opens_a_task_with_the_id_that_a_flag_would_give_it():
    opened, facts = ask(None, overlap=2)

    assert (opened.state, opened.overlap, opened.id) == (State.OPEN, 2, task_id("clothes/sample/a", 1))
    assert facts == (Opened(task=opened, reason=request(), created=True),)


def test_a_request_joins_a_task_and_reopens_it_where_more_answers_are_wanted():
    reopened, facts = ask(answered(task(flag(1)), ann="boot"), overlap=3)

    assert (reopened.state, reopened.overlap) == (State.OPEN, 3)
    assert reopened.waiting == (request(),)
    assert [type(fact) for fact in facts] == [Opened]


def test_a_label_with_enough_answers_settles_a_request_without_being_told_again():
    accepted = answered(task(flag(1)), ann="boot")

    joined, facts = ask(accepted)

    assert (joined.state, joined.revision, joined.waiting) == (State.ACCEPTED, accepted.revision, ())
    assert facts == (Opened(task=joined, reason=request(), created=False),)


def test_a_request_that_the_task_has_already_changes_nothing():
    known = answered(task(request()), ann="boot")

    assert ask(known, overlap=3) == (known, ())


def test_flags_and_requests_of_a_task_keep_their_order():
    both, _ = ask(task(flag(1, Stream.AUDIT)))

    assert [reason.id for reason in both.reasons] == ["flag-1", "request-1"]
    assert (both.flags, both.requests) == ((flag(1, Stream.AUDIT),), (request(),))


def test_a_sample_of_another_project_and_too_many_requests_are_refused():
    full = replace(task(), reasons=tuple(request(n) for n in range(2, MOST_REQUESTS + 2)))

    with pytest.raises(InvalidRequest, match="none of project"):
        request_label(None, replace(request(), project_id="cloth"), label_set_version=1, overlap=1, now=at(0))
    with pytest.raises(InvalidRequest, match="requests already"):
        ask(full)
