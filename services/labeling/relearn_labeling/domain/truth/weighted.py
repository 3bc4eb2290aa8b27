"""Weighted vote: how often each annotator is right, against gold and against what the others say."""

from __future__ import annotations

import numpy as np

from relearn_labeling.domain.truth.skills import UNKNOWN_ACCURACY, Crowd, FloatArray, Skill, Votes

NEWCOMER_VOTES = 8.0
"""Votes that the prior of the crowd's accuracy is worth, UNKNOWN_ACCURACY of them right."""
CROWD_VOTES = 10.0
"""Votes that the crowd's accuracy is worth in an annotator's own; also the most that one annotator counts in the
crowd's, so that who answers a thousand tasks does not speak for a newcomer."""


def weigh(votes: Votes) -> Crowd:
    """The crowd with one accuracy an annotator.

    A vote is compared with gold where there is gold, else with the value that most of the *other* annotators of the
    unit give (so that nobody is compared with themselves); where those tie, or where there are none, it is not
    compared. Every value is as likely as any other beforehand. The log-odds of the accuracies are then the weights of
    a weighted vote that is optimal if annotators err independently (Nitzan and Paroush 1982, "Optimal decision rules
    in uncertain dichotomous choice situations").
    """
    truth = _others_say(votes)
    compared = truth >= 0
    who, right = votes.annotator[compared], votes.value[compared] == truth[compared]
    n = len(votes.annotators)
    answers = np.bincount(who, minlength=n).astype(np.float64)
    hits = np.bincount(who, weights=right, minlength=n).astype(np.float64)
    accuracy, newcomer = shrunk(hits, answers)
    k = len(votes.values)
    return Crowd(
        values=votes.values,
        prior=np.full(k, 1 / k),
        newcomer=Skill(accuracy=newcomer),
        skills={
            name: Skill(accuracy=float(accuracy[number]), votes=float(answers[number]))
            for number, name in enumerate(votes.annotators)
        },
    )


def shrunk(hits: FloatArray, answers: FloatArray) -> tuple[FloatArray, float]:
    """Accuracies [a] of annotators with `hits` [a] right of `answers` [a], and the crowd's, which a newcomer has.

    Each is drawn towards the crowd's by CROWD_VOTES votes, that one towards UNKNOWN_ACCURACY by NEWCOMER_VOTES: with
    few answers all annotators weigh alike, and the vote is a plain count.
    """
    rate = np.divide(hits, answers, out=np.zeros(len(hits)), where=answers > 0)
    heard = np.minimum(answers, CROWD_VOTES)
    crowd = (UNKNOWN_ACCURACY * NEWCOMER_VOTES + (heard * rate).sum()) / (NEWCOMER_VOTES + heard.sum())
    return (CROWD_VOTES * crowd + hits) / (CROWD_VOTES + answers), float(crowd)


def _others_say(votes: Votes) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """[n], what each vote is compared with: gold, or the plurality of the unit's other votes; -1 for neither."""
    k, u = len(votes.values), len(votes.truth)
    counts = np.bincount(votes.unit * k + votes.value, minlength=u * k).reshape(u, k)
    others = counts[votes.unit]
    others[np.arange(len(votes.unit)), votes.value] -= 1
    most = others.max(axis=1, initial=0)
    clear = (most > 0) & ((others == most[:, None]).sum(axis=1) == 1)
    gold = votes.truth[votes.unit]
    return np.where(gold >= 0, gold, np.where(clear, others.argmax(axis=1), -1))
