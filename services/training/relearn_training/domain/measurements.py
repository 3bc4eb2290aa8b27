"""Numbers with what is needed to doubt them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from relearn_training.domain.objective import Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One number about a run, named `<metric>/<population>`.

    Attributes:
        lower, upper: 95 % interval; None where there is none.
        samples: it was measured on; None where that makes no sense.
    """

    name: str
    value: float
    lower: float | None = None
    upper: float | None = None
    samples: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Measurement:
        return cls(**values)


def of_score(name: str, score: Score) -> Measurement:
    """A share with its interval."""
    return Measurement(name=name, value=score.value, lower=score.lower, upper=score.upper, samples=score.samples)
