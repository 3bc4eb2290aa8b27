"""What a study may try, and what it tries first.

The first trials are recipes known to be good, one an architecture family; only then a sampler looks further. With
four trials a search that starts at random spends most of them on learning what is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

RECIPE = "image-classification"

# Channels of the first layer; the first width is the default of its family. Depth is fixed.
WIDTHS: Mapping[str, tuple[int, ...]] = {"plain-cnn": (24, 32), "tiny-resnet": (16, 24)}
FAMILIES = tuple(WIDTHS)
LEARNING_RATES = (0.003, 0.006, 0.01)
DEFAULT_RATE = 0.006


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """One point of the search space.

    Attributes:
        family, width: the architecture; see WIDTHS.
        learning_rate: peak of the schedule.
        new_share: part of each batch drawn from labels the champion has not seen; 0 where there are none.
    """

    family: str
    width: int
    learning_rate: float
    new_share: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Parameters:
        """What `to_dict` wrote. Raises ValueError for a family, width or range that is not of this space."""
        parameters = cls(
            family=str(values["family"]),
            width=int(values["width"]),
            learning_rate=float(values["learning_rate"]),
            new_share=float(values["new_share"]),
        )
        if parameters.family not in WIDTHS or not 1 <= parameters.width <= 512:
            raise ValueError(f"unknown architecture: {parameters.family!r} of width {parameters.width}")
        if not (0 < parameters.learning_rate <= 1 and 0 <= parameters.new_share <= 1):
            raise ValueError(f"parameters out of range: {parameters}")
        return parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The choices of one study.

    Attributes:
        families: at least one of WIDTHS, the known good one first.
        new_shares: choices for `new_share`; (0,) without new labels.
        warm: architecture (family, width) of the champion a trial may start from; None for fresh training only.
    """

    families: tuple[str, ...]
    new_shares: tuple[float, ...]
    warm: tuple[str, int] | None

    def starts_warm(self, parameters: Parameters) -> bool:
        """Whether a trial continues from the champion's weights: whenever it has the champion's architecture."""
        return self.warm == (parameters.family, parameters.width)

    def widths(self, family: str) -> tuple[int, ...]:
        """Choices for the width of a family, the champion's among them."""
        if self.warm is not None and self.warm[0] == family and self.warm[1] not in WIDTHS[family]:
            return (self.warm[1], *WIDTHS[family])
        return WIDTHS[family]


def space(*, families: Sequence[str], champion: tuple[str, int] | None, new_share: float, new_labels: int) -> Space:
    """The search space of a study.

    Args:
        families: those the project allows; empty for all. Unknown names are left out.
        champion: architecture of the champion whose weights are at hand and fit; None otherwise.
        new_share: the project's share of new labels a batch; half of it is the alternative.
        new_labels: train labels that the champion has not seen.

    Raises:
        ValueError: no known family is left.
    """
    allowed = tuple(family for family in FAMILIES if not families or family in families)
    if not allowed:
        raise ValueError(f"no known architecture family among {list(families)}, known are {list(FAMILIES)}")
    warm = champion if champion is not None and champion[0] in allowed else None
    if warm is not None:
        allowed = (warm[0], *(family for family in allowed if family != warm[0]))
    shares = (new_share, new_share / 2) if new_labels and new_share > 0 else (0.0,)
    return Space(families=allowed, new_shares=shares, warm=warm)


def known_good(space: Space, trial: int) -> Parameters | None:
    """The recipe that trial 0, 1, ... starts with: the champion continued, or each family's default; then None."""
    if trial >= len(space.families):
        return None
    family = space.families[trial]
    width = space.warm[1] if trial == 0 and space.warm is not None else WIDTHS[family][0]
    return Parameters(family=family, width=width, learning_rate=DEFAULT_RATE, new_share=space.new_shares[0])
