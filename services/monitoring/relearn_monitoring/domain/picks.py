"""A pick: a prediction on its way to a flag, with the probability with which it was picked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from uuid import NAMESPACE_URL, uuid5

from relearn_monitoring.domain.budget import Purse, Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """The encoded input of a prediction: its bytes, or where they lie."""

    sha256: str
    content: bytes | None
    input_key: str
    group_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """The other side of a disagreement; `number` is its place among those asked, 0 before it is flagged."""

    challenger: str
    challenger_label: str
    challenger_prediction_id: str
    number: int = 0


class State(StrEnum):
    """Where a pick stands."""

    PICKED = "picked"
    FLAGGED = "flagged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """One prediction picked for a human answer.

    Attributes:
        probability: of being picked, in (0, 1].
        picked_at: UTC; the budget of this day pays.
        alert_id: alert that asked for it; empty for everyday picks and disagreements.
        in_reference: whether the prediction is part of its version's reference.
        causes: ids of the events it came from.
    """

    project_id: str
    prediction_id: str
    model_version_id: str
    input: Input
    stream: Stream
    purse: Purse
    picked_at: datetime
    probability: float
    reason: str
    predicted_label: str
    confidence: float
    predicted_at: datetime
    project_revision: int
    causes: tuple[str, ...]
    traceparent: str
    alert_id: str = ""
    in_reference: bool = False
    against: Against | None = None

    @property
    def flag_id(self) -> str:
        """From prediction and stream: the same prediction is never flagged twice in one stream."""
        return derived_id(self.project_id, self.prediction_id, self.stream)

    @property
    def flagged_event_id(self) -> str:
        """Of its PredictionFlagged."""
        return derived_id(self.flag_id, "flagged")

    @property
    def day(self) -> date:
        """UTC day whose budget pays."""
        return self.picked_at.date()


def numbered(pick: Pick, number: int) -> Pick:
    """A disagreement with its place among those asked.

    Raises:
        ValueError: it is no disagreement.
    """
    if pick.against is None:
        raise ValueError(f"pick {pick.flag_id} of stream {pick.stream} is no disagreement")
    return replace(pick, against=replace(pick.against, number=number))


def derived_id(*parts: str) -> str:
    """A UUID that the same parts always give."""
    return str(uuid5(NAMESPACE_URL, "relearn:monitoring:" + "\0".join(parts)))
