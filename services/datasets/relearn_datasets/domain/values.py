"""What a label says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelValue:
    """What a label says of a sample, and nothing of who said it, when and how: labels that say the same are equal.

    Attributes:
        class_name: where it is exactly one class for the whole sample; None for any other.
        regions: all that it says, in the one order of its bytes (`label_values`); None where the class is all of it.
            Empty: that there is nothing in the sample, which is a label too.
    """

    class_name: str | None
    regions: bytes | None = None

    def __post_init__(self) -> None:
        if self.class_name is None and self.regions is None:
            raise ValueError("a label says a class, regions or both")

    @property
    def size_bytes(self) -> int:
        """Of its regions."""
        return len(self.regions or b"")

    @property
    def canonical(self) -> bytes:
        """The bytes that a digest takes in: the class alone where it is all; no class has the zero byte between."""
        named = (self.class_name or "").encode()
        return named if self.regions is None else named + b"\0" + self.regions


def one_class(name: str) -> LabelValue:
    """A label that is one class for the whole sample, and nothing more."""
    return LabelValue(class_name=name)
