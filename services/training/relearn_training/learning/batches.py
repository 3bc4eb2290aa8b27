"""Which samples make up each batch. Pure numpy, so that the rule can be tested without a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]

# No label is shown more often than this in one epoch: a handful of new labels at half of every batch would be
# learned by heart. 3,000 old and 47 new labels reach half; fewer get a smaller share.
MAX_REPEATS = 32


def shares(*, imported: int, earlier: int, new: int, share_new: float) -> tuple[float, float, float]:
    """The part of each batch that is drawn from imported, earlier loop labels and new ones.

    New labels get `share_new`, but never less than their natural share, and never so much that one is shown
    more than MAX_REPEATS times an epoch. What is left is divided evenly between imported labels and the loop's
    earlier labels (of rounds the champion has learned from), again never below their natural share: they describe
    traffic that imported samples do not, and would be forgotten among them.

    Args:
        imported, earlier, new: numbers of training samples; at least one is positive.
        share_new: in [0, 1].

    Returns:
        Three shares >= 0 that sum to 1; an empty group has 0.
    """
    total = imported + earlier + new
    if total <= 0 or min(imported, earlier, new) < 0:
        raise ValueError(f"nothing to train on: {imported} imported, {earlier} earlier, {new} new samples")
    if not 0 <= share_new <= 1:
        raise ValueError(f"share_new must be in [0, 1], got {share_new}")
    of_new = _boosted(new, rest=imported + earlier, wanted=share_new)
    of_earlier = (1 - of_new) * _boosted(earlier, rest=imported, wanted=0.5)
    return (1 - of_new - of_earlier, of_earlier, of_new)


def _boosted(count: int, *, rest: int, wanted: float) -> float:
    """The share of a group of `count` beside `rest` others, raised towards `wanted` within MAX_REPEATS."""
    if count == 0:
        return 0.0
    if rest == 0:
        return 1.0
    natural = count / (count + rest)
    return max(natural, min(wanted, natural * MAX_REPEATS))


def batches(
    groups: Sequence[Indices], *, weights: Sequence[float], batch_size: int, steps: int, generator: np.random.Generator
) -> Iterator[Indices]:
    """`steps` batches of indices, each with `weights[i]` of its places from `groups[i]`.

    Fractional places are carried over, so that the shares hold over the run. Within a group every index is used
    once, in random order, before any is used again.
    """
    streams = [_endless(group, generator) if len(group) else None for group in groups]
    owed = np.zeros(len(groups))
    for _ in range(steps):
        owed += np.asarray(weights) * batch_size
        # a group that was given a whole place for a part of one owes the rest: it gets none until that is made up for
        places = np.maximum(np.floor(owed + 1e-9), 0).astype(int)
        while places.sum() < batch_size:  # the largest remainder takes the place that rounding left
            places[np.argmax(owed - places)] += 1
        owed -= places
        yield np.concatenate([_take(stream, n) for stream, n in zip(streams, places, strict=True) if stream and n])


def _endless(group: Indices, generator: np.random.Generator) -> Iterator[int]:
    while True:
        yield from generator.permutation(group)


def _take(stream: Iterator[int], n: int) -> Indices:
    return np.fromiter((next(stream) for _ in range(n)), dtype=np.int64, count=n)
