"""Random draws that a replay repeats: each is a hash of what is drawn for and of what is drawn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from relearn_monitoring.domain.policy import Policy

_DAY_S = 86_400.0
_SHORTEST_SHARE = 60 / _DAY_S  # a burst in the first seconds of a day is no rate yet


def draw(purpose: str, identity: str) -> float:
    """A number in [0, 1), uniform over identities, independent between purposes."""
    digest = blake2b(f"{purpose}\0{identity}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def seed(purpose: str, identity: str) -> int:
    """A seed for a generator, from the same hash."""
    return int.from_bytes(blake2b(f"{purpose}\0{identity}".encode(), digest_size=8).digest(), "big")


def share_of_day_left(now: datetime) -> float:
    """Share of the UTC day that is still to come, in (0, 1]."""
    midnight = datetime.combine(now.astimezone(UTC).date(), datetime.min.time(), tzinfo=UTC) + timedelta(days=1)
    return (midnight - now).total_seconds() / _DAY_S


def expected_left(policy: Policy, now: datetime, *, yesterday: int | None, today: int) -> float:
    """Predictions expected until midnight UTC: at yesterday's rate, or today's so far where that is higher; at the
    policy's where there was no day before."""
    left = share_of_day_left(now)
    if yesterday is None:
        return policy.predictions_per_day * left
    return max(yesterday, today / max(1 - left, _SHORTEST_SHARE)) * left


def audit_rate(labels_left: int, *, expected: float) -> float:
    """Probability of each prediction to be audited: the labels left today, spread over what is expected."""
    return 0.0 if labels_left <= 0 else min(1.0, labels_left / max(expected, 1.0))


def alert_audit_rate(policy: Policy) -> float:
    """Probability after an alert: the audits come from about half a window of predictions, not from one burst."""
    return min(1.0, 2 * policy.audits_per_alert / policy.window_predictions)
