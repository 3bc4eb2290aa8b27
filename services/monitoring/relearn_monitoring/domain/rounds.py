"""How many inputs are selected now: after an alert in growing rounds, else as the day goes on."""

from __future__ import annotations

from relearn_monitoring.domain import budget
from relearn_monitoring.domain.budget import Ledger, Purse, Stream
from relearn_monitoring.domain.policy import Policy
from relearn_monitoring.domain.watches import Monitored

LARGEST = 30
"""Most picks of a project on their way at once: what is chosen later is chosen from more, and is a task as soon."""

SMALLEST = 10
"""Fewest inputs of a round while more are on their way: of fewer, clusters say nothing."""

CHOICE = 2
"""Shifted inputs to choose from, for each one selected."""

MOST_CANDIDATES = 2000
"""Inputs that one round looks at, the newest: its distances are a square of this."""

EVERYDAY_LARGEST = 20
EVERYDAY_CANDIDATES = 100


def after_alert(*, wanted: int, under_way: int, found: int, overdue: bool) -> int:
    """How many of so many wanted labels to select now.

    People start with the first few while more is collected; each round takes half of what has been found by then, so
    that there is a choice in each. Once it is overdue what is wanted is taken from whatever there is.

    Args:
        wanted: labels still wanted and paid for.
        under_way: picks of the project that are no flags yet.
        found: candidates that look shifted.
        overdue: the alert has been open for as long as a window may be.
    """
    now = min(wanted, LARGEST - under_way)
    if not overdue:
        now = min(now, found // CHOICE)
    return now if now >= min(wanted, SMALLEST) else 0


def everyday(policy: Policy, monitored: Monitored, ledger: Ledger) -> int:
    """How many labels of the day's share may be selected now: as much of it as of the day's predictions has come."""
    expected = policy.predictions_per_day if monitored.yesterday is None else monitored.yesterday
    share = min(1.0, monitored.today / max(1, expected))
    earned = int(budget.allowance(policy, stream=Stream.SELECTED, purse=Purse.DAILY) * share)
    used = ledger.used(purse=Purse.DAILY, stream=Stream.SELECTED)
    left = budget.left(ledger, policy, stream=Stream.SELECTED, purse=Purse.DAILY)
    return max(0, min(EVERYDAY_LARGEST, earned - used, left))
