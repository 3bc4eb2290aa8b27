"""What is known of a project's annotators, and what their votes then say of one unit.

A *unit* is one question with one true value: the class of a sample; whether a sample is of a class; what a thing is, or
that it is not there (ABSENT). A *vote* is what one annotator says of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

ABSENT = ""
"""What an answer says of a thing that it does not have; no class has this name."""

UNKNOWN_ACCURACY = 0.75
"""Of an annotator while nobody of the project is known: below the default `min_posterior`, so that work begins with two
answers a sample, which is how annotators become known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """How one annotator answers.

    Attributes:
        accuracy: chance that a vote is right, in (0, 1).
        confusion: [k, k], row: what is true, column: what is said; rows sum to 1, no cell is 0. None: wrong votes
            fall on all other values alike (one coin).
        votes: how many it rests on.
    """

    accuracy: float
    confusion: FloatArray | None = None
    votes: float = 0.0

    def log_likelihood(self, value: int, k: int) -> FloatArray:
        """Log of the chance of this vote, for each of the `k` values that may be true; [k]."""
        if self.confusion is not None:
            return np.log(self.confusion[:, value])
        likelihood = np.full(k, np.log((1 - self.accuracy) / max(k - 1, 1)))
        likelihood[value] = np.log(self.accuracy)
        return likelihood


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """The annotators of a project.

    Attributes:
        values: what may be true of a unit, and be said of it; distinct.
        prior: [k], how often each is true; sums to 1, no entry is 0.
        newcomer: how somebody answers of whom nothing is known.
        skills: by annotator.
    """

    values: tuple[str, ...]
    prior: FloatArray
    newcomer: Skill
    skills: Mapping[str, Skill] = field(default_factory=dict)

    def skill(self, annotator: str) -> Skill:
        """How an annotator answers."""
        return self.skills.get(annotator, self.newcomer)

    def posterior(self, votes: Sequence[tuple[str, str]]) -> dict[str, float]:
        """The chance of each value, given votes (annotator, value): naive Bayes with the skills as they are.

        A vote for a value that is none of `values` is not counted.
        """
        places = {value: place for place, value in enumerate(self.values)}
        log = np.log(self.prior)
        for annotator, value in votes:
            if value in places:
                log = log + self.skill(annotator).log_likelihood(places[value], len(self.values))
        weights = np.exp(log - log.max())
        return dict(zip(self.values, (weights / weights.sum()).tolist(), strict=True))


def unknown_crowd(values: Sequence[str]) -> Crowd:
    """The crowd of a project of whose annotators nothing is known yet: its posteriors rank values as a count does."""
    prior = np.full(len(values), 1 / len(values))
    return Crowd(values=tuple(values), prior=prior, newcomer=Skill(accuracy=UNKNOWN_ACCURACY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Who said what of one unit.

    Attributes:
        votes: (annotator, value), at most one an annotator.
        truth: its value where it is known (gold); None elsewhere.
    """

    votes: tuple[tuple[str, str], ...]
    truth: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """Units as arrays.

    Attributes:
        annotators: the names, ascending.
        values: as of the crowd to be.
        unit, annotator, value: of each vote, [n], by unit.
        truth: [u], the place of the known value, -1 where it isn't known.
    """

    annotators: tuple[str, ...]
    values: tuple[str, ...]
    unit: IntArray
    annotator: IntArray
    value: IntArray
    truth: IntArray

    @property
    def teaches(self) -> npt.NDArray[np.bool_]:
        """[u], whether a unit says anything of its annotators: its truth is known, or two of them can be compared."""
        return (self.truth >= 0) | (np.bincount(self.unit, minlength=len(self.truth)) > 1)


def votes_of(units: Iterable[Unit], values: Sequence[str]) -> Votes:
    """The units as arrays; votes and truths that are none of `values` are left out."""
    places = {value: place for place, value in enumerate(values)}
    known = list(units)
    annotators = sorted({annotator for unit in known for annotator, _ in unit.votes})
    numbers = {annotator: number for number, annotator in enumerate(annotators)}
    rows = [
        (number, numbers[annotator], places[value])
        for number, unit in enumerate(known)
        for annotator, value in unit.votes
        if value in places
    ]
    unit, annotator, value = np.array(rows, np.int64).reshape(-1, 3).T
    truth = [-1 if unit.truth is None else places.get(unit.truth, -1) for unit in known]
    return Votes(
        annotators=tuple(annotators),
        values=tuple(values),
        unit=unit,
        annotator=annotator,
        value=value,
        truth=np.array(truth, np.int64),
    )
