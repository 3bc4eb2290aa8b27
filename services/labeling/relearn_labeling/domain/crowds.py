"""When and how a project learns what its annotators are like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from relearn_labeling.domain.tasks import Truth
from relearn_labeling.domain.truth import dawid_skene
from relearn_labeling.domain.truth.skills import Crowd, Unit, votes_of
from relearn_labeling.domain.truth.weighted import weigh

NEWEST_ANSWERS = 20_000
"""What a crowd is learned from: enough for any confusion, and people change."""
_LONGEST = timedelta(minutes=15)  # gold, reviews and revocations change what is known without an answer


def is_due(*, answers: int, learned_from: int, age: timedelta) -> bool:
    """Whether a crowd is to be learned anew: with 2 % more answers, at least one, or after 15 minutes."""
    return answers - learned_from >= max(1, learned_from // 50) or age >= _LONGEST


def learn(units: Iterable[Unit], *, values: Sequence[str], truth: Truth, before: Crowd | None) -> Crowd:
    """The crowd that the units tell of, by the project's way from answers to labels.

    Args:
        truth: WEIGHTED or DAWID_SKENE; with more than 100 values the latter is weighed too, see
            `dawid_skene.MOST_VALUES`.
        before: the crowd learned last, from which Dawid and Skene's estimate goes on.
    """
    votes = votes_of(units, values)
    if truth is not Truth.DAWID_SKENE or len(values) > dawid_skene.MOST_VALUES:
        return weigh(votes)
    start = before if before is not None and before.values == votes.values else None
    return dawid_skene.fit(votes, start=start).crowd
