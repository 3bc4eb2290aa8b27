"""Dawid and Skene's model: each annotator confuses values in their own way.

Source: Dawid and Skene (1979), "Maximum likelihood estimation of observer error-rates using the EM algorithm", Applied
Statistics 28(1). Theirs is maximum likelihood, which with ten answers an annotator says that who was never wrong can't
be; here every estimate is drawn towards a simpler one (`Draw`), so that little data gives a plain count of votes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np

from relearn_labeling.domain.truth.skills import Crowd, FloatArray, Skill, Votes
from relearn_labeling.domain.truth.weighted import shrunk

MOST_VALUES = 100
"""Values up to which confusions are told apart; with more, an annotator's cells would be empty: see `weighted`."""
_CLOSE = 1e-4
_MOST_ROUNDS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """How strongly estimates are drawn towards simpler ones, in votes; nothing of it gives maximum likelihood.

    Attributes:
        row: in each row of an annotator's confusion, towards one coin whose wrong sides fall as the crowd's wrong
            votes do.
        wrong: in each row of the crowd's wrong votes, towards all values alike.
        prior: of each value in how often it is true, towards all values alike.
    """

    row: float = 20.0
    wrong: float = 30.0
    prior: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What the votes say of annotators and units.

    Attributes:
        crowd: the annotators, with confusions.
        posteriors: [u, k], the chance of each value in each unit.
        rounds: of expectation and maximisation.
        converged: whether no posterior moved by more than 1e-4 in the last one.
    """

    crowd: Crowd
    posteriors: FloatArray
    rounds: int
    converged: bool


def fit(votes: Votes, *, start: Crowd | None = None, draw: Draw = Draw()) -> Fit:
    """Expectation and maximisation in turns, until the posteriors stand still or 200 rounds are over.

    Deterministic: it begins with the shares of votes, or with the posteriors that an earlier crowd gives. Gold is known
    throughout. Units with one vote learn from annotators and teach nothing about them.

    Args:
        votes: of at most MOST_VALUES values.
        start: an earlier crowd of the same values.
    """
    posteriors = _shares(votes) if start is None else _posteriors(votes, start)
    for rounds in count(1):
        crowd = _crowd(votes, posteriors, draw)
        before, posteriors = posteriors, _posteriors(votes, crowd)
        converged = bool(np.abs(posteriors - before).max(initial=0) <= _CLOSE)
        if converged or rounds == _MOST_ROUNDS:
            break
    return Fit(crowd=crowd, posteriors=posteriors, rounds=rounds, converged=converged)


def _shares(votes: Votes) -> FloatArray:
    k, u = len(votes.values), len(votes.truth)
    counts = np.bincount(votes.unit * k + votes.value, minlength=u * k).reshape(u, k) + 1 / k
    return _with_gold(votes, counts / counts.sum(axis=1, keepdims=True))


def _posteriors(votes: Votes, crowd: Crowd) -> FloatArray:
    """[u, k]: `Crowd.posterior` of all units at once."""
    k, u = len(votes.values), len(votes.truth)
    # [a, said, true]
    log = np.array([[crowd.skill(name).log_likelihood(value, k) for value in range(k)] for name in votes.annotators])
    of_votes = log.reshape(-1, k, k)[votes.annotator, votes.value]  # [n, k]
    total = np.stack([np.bincount(votes.unit, weights=each, minlength=u) for each in of_votes.T], axis=1)
    total = total + np.log(crowd.prior)
    weights = np.exp(total - total.max(axis=1, keepdims=True))
    return _with_gold(votes, weights / weights.sum(axis=1, keepdims=True))


def _with_gold(votes: Votes, posteriors: FloatArray) -> FloatArray:
    known = votes.truth >= 0
    posteriors[known] = np.eye(len(votes.values))[votes.truth[known]]
    return posteriors


def _crowd(votes: Votes, posteriors: FloatArray, draw: Draw) -> Crowd:
    k, a = len(votes.values), len(votes.annotators)
    teaches = votes.teaches[votes.unit]
    cell = votes.annotator[teaches] * k + votes.value[teaches]
    true = posteriors[votes.unit[teaches]]  # [n, k]
    said = np.stack([np.bincount(cell, weights=each, minlength=a * k) for each in true.T], axis=-1)
    counts: FloatArray = said.reshape(a, k, k).transpose(0, 2, 1).astype(np.float64)  # [a, true, said]
    prior = posteriors.sum(axis=0) + draw.prior
    skills, newcomer = _skills(counts, draw)
    return Crowd(
        values=votes.values,
        prior=prior / prior.sum(),
        newcomer=newcomer,
        skills=dict(zip(votes.annotators, skills, strict=True)),
    )


def _skills(counts: FloatArray, draw: Draw) -> tuple[list[Skill], Skill]:
    """From expected counts [a, true, said] to confusions, by three steps of drawing towards what is known better.

    An annotator's accuracy towards the crowd's; where their wrong votes fall, towards where the crowd's do; and each
    row of their confusion towards what those two say (Draw).
    """
    k = counts.shape[1]
    answers, hits = counts.sum(axis=(1, 2)), np.trace(counts, axis1=1, axis2=2)
    accuracy, newcomer = shrunk(hits, answers)
    elsewhere = 1 - np.eye(k)
    wrong = elsewhere * (counts.sum(axis=0) + draw.wrong / max(k - 1, 1))
    wrong = wrong / np.maximum(wrong.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    simple = _confusion(accuracy, wrong)
    confusion = (draw.row * simple + counts) / (draw.row + counts.sum(axis=2, keepdims=True))
    skills = [
        Skill(accuracy=float(accuracy[number]), confusion=confusion[number], votes=float(answers[number]))
        for number in range(len(counts))
    ]
    return skills, Skill(accuracy=newcomer, confusion=_confusion(np.array([newcomer]), wrong)[0])


def _confusion(accuracy: FloatArray, wrong: FloatArray) -> FloatArray:
    """[a, k, k]: right by the accuracies [a], else as `wrong` [k, k] says; with one value all are right."""
    k = len(wrong)
    if k == 1:
        return np.ones((len(accuracy), 1, 1))
    return accuracy[:, None, None] * np.eye(k) + (1 - accuracy)[:, None, None] * wrong
