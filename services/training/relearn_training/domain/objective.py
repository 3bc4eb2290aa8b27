"""What a trial is chosen by.

Imported validation samples and live audits are two populations: what the model was made for, and what traffic is
now. Each counts half, however many there are of it; they are never pooled. Audits were picked with a known
probability and are weighted by its inverse. Disagreement labels enter no metric here, and are never trained on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# Fewer audits say nothing about four trials that differ by a few points: the imported samples then count alone.
MIN_AUDITS = 10
# An audit from the trickle (picked with one in thousands) must not outvote fifty that an alert asked for (one in
# ten): weights are cut at this multiple of their median. Source: Ionides (2008), "Truncated Importance Sampling".
MAX_WEIGHT = 5.0
_Z = 1.959963984540054  # 97.5 % point of the normal distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A weighted share with its 95 % interval."""

    value: float
    lower: float
    upper: float
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnesses:
    """Which validation samples speak, and with which weight.

    Attributes:
        imported, audits: [n] masks; disjoint.
        weights: [n], 0 outside both masks; sums to 1: the objective of any per-sample value is its weighted sum.
        within: [n], as `weights`, but each group sums to 1 by itself.
    """

    imported: Flags
    audits: Flags
    weights: Floats
    within: Floats


def witnesses(
    streams: npt.NDArray[np.str_], probabilities: Floats, versions: npt.NDArray[np.int64], *, since: int
) -> Witnesses:
    """The weights of the objective over validation samples.

    The audits that count are those labeled after dataset version `since`: under a confirmed alert the version that was
    newest when it opened, else the one the champion learned from. Older ones describe traffic that is gone; they
    count only where the newer ones are fewer than MIN_AUDITS.

    Args:
        streams: [n], "imported", "audit" or others, which are ignored.
        probabilities: [n], with which an audit was picked; anything elsewhere.
        versions: [n], number of the dataset version in which the label came in.

    Raises:
        ValueError: nothing to judge by, or an audit without a probability in (0, 1].
    """
    imported, every_audit = streams == "imported", streams == "audit"
    audits = every_audit & (versions > since)
    if audits.sum() < MIN_AUDITS:
        audits = every_audit
    if audits.sum() < MIN_AUDITS and imported.any():
        audits = np.zeros_like(audits)
    within = np.zeros(len(streams))
    within[imported] = 1.0
    within[audits] = audit_weights(probabilities[audits])
    groups = [mask for mask in (imported, audits) if mask.any()]
    if not groups:
        raise ValueError("no imported validation sample and no audit to judge by")
    for mask in groups:
        within[mask] /= within[mask].sum()
    return Witnesses(imported=imported, audits=audits, weights=within / len(groups), within=within)


def audit_weights(probabilities: Floats) -> Floats:
    """Inverse probabilities, cut at MAX_WEIGHT times their median; empty for none."""
    if len(probabilities) == 0:
        return np.zeros(0)
    if not np.all((probabilities > 0) & (probabilities <= 1)):
        raise ValueError("an audit must carry the probability in (0, 1] with which it was picked")
    weights = 1.0 / probabilities
    return np.minimum(weights, MAX_WEIGHT * np.median(weights))


def score(correct: Flags, weights: Floats) -> Score | None:
    """The weighted share of `correct` with Wilson's interval at the effective number of samples; None for none.

    Source: Wilson (1927); effective number (sum w)^2 / sum w^2, Kish (1965).
    """
    total = float(weights.sum())
    if total <= 0:
        return None
    share = float(weights @ correct) / total
    effective = total**2 / float(weights @ weights)
    centre = (share + _Z**2 / (2 * effective)) / (1 + _Z**2 / effective)
    half = _Z / (1 + _Z**2 / effective) * math.sqrt(share * (1 - share) / effective + _Z**2 / (4 * effective**2))
    return Score(
        value=share,
        lower=max(0.0, min(share, centre - half)),
        upper=min(1.0, max(share, centre + half)),
        samples=int((weights > 0).sum()),
    )
