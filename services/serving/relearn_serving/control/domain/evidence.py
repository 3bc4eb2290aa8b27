"""What gateways have counted during a rollout."""

from dataclasses import dataclass, field
from enum import Enum

from relearn_runtime.errors import InvalidInput


class Arm(Enum):
    CHAMPION = "champion"
    CANARY = "canary"
    SHADOW = "shadow"
    PINNED = "pinned"  # never evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Predictions of one version in one arm."""

    predictions: int = 0
    errors: int = 0
    duration_s: float = 0.0  # sum of model times
    buckets: tuple[int, ...] = ()
    labels: tuple[int, ...] = ()

    @property
    def attempts(self) -> int:
        return self.predictions + self.errors

    @property
    def mean_s(self) -> float:
        return self.duration_s / self.predictions if self.predictions else 0.0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            predictions=self.predictions + other.predictions,
            errors=self.errors + other.errors,
            duration_s=self.duration_s + other.duration_s,
            buckets=_add(self.buckets, other.buckets),
            labels=_add(self.labels, other.labels),
        )

    def since(self, earlier: "Tally") -> "Tally":
        """What was added after `earlier`.

        Raises:
            InvalidInput: something went down, which counters that only grow never do.
        """
        added = Tally(
            predictions=self.predictions - earlier.predictions,
            errors=self.errors - earlier.errors,
            duration_s=self.duration_s - earlier.duration_s,
            buckets=_add(self.buckets, tuple(-count for count in earlier.buckets)),
            labels=_add(self.labels, tuple(-count for count in earlier.labels)),
        )
        if min(added.predictions, added.errors, *added.buckets, *added.labels) < 0:
            raise InvalidInput(f"counters went down: from {earlier} to {self}")
        return added

    def __bool__(self) -> bool:
        return self.attempts > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything counted since the rollout started. Champion and challenger are counted side by side."""

    shadow: Tally = field(default_factory=Tally)
    champion_beside_shadow: Tally = field(default_factory=Tally)
    canary: Tally = field(default_factory=Tally)
    champion_beside_canary: Tally = field(default_factory=Tally)
    canary_before_step: int = 0  # canary predictions when the present step began

    @property
    def champion(self) -> Tally:
        return self.champion_beside_shadow + self.champion_beside_canary

    @property
    def in_step(self) -> int:
        """Canary predictions of the present step."""
        return self.canary.predictions - self.canary_before_step


def _add(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """Element by element; the shorter one is filled up with zeros."""
    length = max(len(one), len(other))
    one, other = one + (0,) * (length - len(one)), other + (0,) * (length - len(other))
    return tuple(a + b for a, b in zip(one, other, strict=True))
