"""The numbers a project chose for its monitoring, and the thresholds that follow from its false-alarm budget."""

from __future__ import annotations

from dataclasses import dataclass

_DETECTOR_SHARE = 0.5
_WINDOW_SHARE = 0.25
_HARM_SHARE = 0.25
_FEWEST_AUDITS = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A project's policy of monitoring, and what of its promotion policy concerns the comparison of shadows.

    Shares are in [0, 1] and `audit_share + reserve_share <= 1`; what is left of the day's labels is selected.
    """

    project_id: str
    revision: int
    paused: bool
    classes: tuple[str, ...]
    labels_per_day: int
    audit_share: float
    reserve_share: float
    audits_per_alert: int
    selected_per_alert: int
    predictions_per_day: int
    window_predictions: int
    window_after_s: float
    reference_predictions: int
    predictions_per_false_alarm: int
    margin: float
    waiting_inputs: int
    shadow_pairs: int
    min_disagreement: float
    disagreements_per_look: int


def detector_run(policy: Policy, *, shards: int) -> float:
    """Average predictions between two false alarms of one e-detector; each shard of a version has its own."""
    return policy.predictions_per_false_alarm * max(1, shards) / _DETECTOR_SHARE


def window_alpha(policy: Policy, *, predictions: int) -> float:
    """Probability with which a signal of a clean window of so many predictions may exceed its threshold.

    Only two windows in a row open an alert, so that it may be the square root of what one alone could be given.
    """
    return float(min(0.05, (_WINDOW_SHARE * predictions / policy.predictions_per_false_alarm) ** 0.5))


def harm_run(policy: Policy) -> float:
    """Average audits between two false harm alerts of one version, at the audit rate the policy expects; never so few
    that a handful of mistakes in a row would do."""
    audits = policy.labels_per_day * policy.audit_share * policy.predictions_per_false_alarm
    return max(_FEWEST_AUDITS, audits / policy.predictions_per_day / _HARM_SHARE)
