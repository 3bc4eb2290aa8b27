"""The label budget of a UTC day: reserved with a pick, spent with its flag, returned when the input is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from relearn_monitoring.domain.policy import Policy
from relearn_runtime.errors import WrongState


class Stream(StrEnum):
    """Why a label is bought."""

    AUDIT = "audit"
    SELECTED = "selected"
    DISAGREEMENT = "disagreement"


class Purse(StrEnum):
    """What pays: the everyday share of a stream, or the reserve for alerts and rollouts."""

    DAILY = "daily"
    RESERVE = "reserve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Labels of one stream from one purse."""

    reserved: int = 0
    spent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What was bought on one day."""

    day: date
    entries: Mapping[tuple[Stream, Purse], Entry] = field(default_factory=dict)

    def used(self, *, purse: Purse, stream: Stream | None = None) -> int:
        """Reserved or spent from a purse, by one stream or by all."""
        return sum(
            entry.reserved + entry.spent
            for (of, by), entry in self.entries.items()
            if by is purse and stream in (None, of)
        )


def allowance(policy: Policy, *, stream: Stream, purse: Purse) -> int:
    """Labels a day that the purse gives this stream; the reserve is shared by all streams."""
    reserve = round(policy.labels_per_day * policy.reserve_share)
    audits = min(round(policy.labels_per_day * policy.audit_share), policy.labels_per_day - reserve)
    if purse is Purse.RESERVE:
        return reserve
    return {Stream.AUDIT: audits, Stream.SELECTED: policy.labels_per_day - reserve - audits}.get(stream, 0)


def left(ledger: Ledger, policy: Policy, *, stream: Stream, purse: Purse) -> int:
    """Labels that this stream may still buy from this purse today."""
    used = ledger.used(purse=purse, stream=None if purse is Purse.RESERVE else stream)
    total = ledger.used(purse=Purse.DAILY) + ledger.used(purse=Purse.RESERVE)
    return max(0, min(allowance(policy, stream=stream, purse=purse) - used, policy.labels_per_day - total))


def affordable(ledger: Ledger, policy: Policy, wishes: Sequence[tuple[Stream, Purse]]) -> list[bool]:
    """Whether each of these labels can be bought, the earlier ones first."""
    can = []
    for stream, purse in wishes:
        can.append(left(ledger, policy, stream=stream, purse=purse) > 0)
        if can[-1]:
            ledger = reserve(ledger, stream=stream, purse=purse, labels=1)
    return can


def reserve(ledger: Ledger, *, stream: Stream, purse: Purse, labels: int) -> Ledger:
    """The ledger with so many more labels reserved; the caller asked `left` first."""
    return _changed(ledger, stream=stream, purse=purse, reserved=labels, spent=0)


def spend(ledger: Ledger, *, stream: Stream, purse: Purse) -> Ledger:
    """One reserved label was flagged.

    Raises:
        WrongState: none is reserved.
    """
    return _changed(ledger, stream=stream, purse=purse, reserved=-1, spent=1)


def give_back(ledger: Ledger, *, stream: Stream, purse: Purse) -> Ledger:
    """One reserved label will not be bought.

    Raises:
        WrongState: none is reserved.
    """
    return _changed(ledger, stream=stream, purse=purse, reserved=-1, spent=0)


def _changed(ledger: Ledger, *, stream: Stream, purse: Purse, reserved: int, spent: int) -> Ledger:
    before = ledger.entries.get((stream, purse), Entry())
    if before.reserved + reserved < 0:
        raise WrongState(f"no {stream} label is reserved from {purse} on {ledger.day}")
    after = Entry(reserved=before.reserved + reserved, spent=before.spent + spent)
    return Ledger(day=ledger.day, entries={**ledger.entries, (stream, purse): after})
