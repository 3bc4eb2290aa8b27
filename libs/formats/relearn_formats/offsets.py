"""Places in a text: our contract counts UTF-16 code units, Python and some formats count code points."""

from __future__ import annotations

from bisect import bisect_right

from relearn_formats.records import Refused


class Offsets:
    """Both ways of counting in one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._wide = [] if text.isascii() else [place for place, c in enumerate(text) if ord(c) > 0xFFFF]
        # the code unit at which each of the wide characters ends
        self._after = [place + number + 2 for number, place in enumerate(self._wide)]

    @property
    def code_units(self) -> int:
        """Length of the text in UTF-16 code units."""
        return len(self.text) + len(self._wide)

    def to_code_units(self, place: int) -> int:
        """A place in code points as one in code units.

        Raises:
            Refused: it is outside of the text.
        """
        if not 0 <= place <= len(self.text):
            raise Refused("OUTSIDE_MEDIA", f"character {place} is outside of a text of {len(self.text)}")
        return place + bisect_right(self._wide, place - 1)

    def to_code_points(self, unit: int) -> int:
        """A place in code units as one in code points.

        Raises:
            Refused: it is outside of the text, or between the two of a surrogate pair.
        """
        if not 0 <= unit <= self.code_units:
            raise Refused("OUTSIDE_MEDIA", f"code unit {unit} is outside of a text of {self.code_units}")
        before = bisect_right(self._after, unit)
        if before < len(self._after) and unit == self._after[before] - 1:
            raise Refused("INSIDE_CHARACTER", f"code unit {unit} is in the middle of a character")
        return unit - before
