"""Imports: what one sample of a stream is, and what names the whole stream."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from relearn_datasets.domain.errors import LabelConflict
from relearn_datasets.domain.samples import Content, sample_id
from relearn_runtime.errors import InvalidInput

MAX_NAME = 500
"""Longest group key or origin, in characters."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedSample:
    """One sample of a stream.

    Attributes:
        place: in the stream, from 1.
        label: None for an unlabeled sample.
        group_key: of its own where none was given.
    """

    place: int
    content: Content
    label: str | None
    group_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Equal bytes that came with different labels."""

    sha256: bytes
    places: Sequence[int]
    labels: Sequence[str]


class StreamDigest:
    """SHA-256 over everything in a stream, in its order: whether a repeated call is the same call."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def take(self, sample: ImportedSample) -> None:
        """Takes one sample in."""
        for part in (sample.content.sha256, (sample.label or "").encode(), sample.group_key.encode()):
            self._digest.update(len(part).to_bytes(4, "big") + part)

    def digest(self) -> bytes:
        """32 bytes: the digest so far."""
        return self._digest.digest()


def label_conflict(project_id: str, found: Contradiction) -> LabelConflict:
    """The error that names the places of equal bytes with different labels."""
    places = ", ".join(str(place) for place in found.places[:10])
    said = " and ".join(repr(label) for label in found.labels[:10])
    return LabelConflict(
        f"samples {places} of the stream are the same bytes with different labels: {said}",
        sample_id=sample_id(project_id, found.sha256),
        place=places,
    )


def check_name(value: str, *, what: str) -> str:
    """A group key or origin that can be stored and shown.

    Raises:
        InvalidInput: too long, or with control characters.
    """
    if len(value) > MAX_NAME:
        raise InvalidInput(f"{what} has {len(value)} characters, at most {MAX_NAME} are kept")
    if _CONTROL.search(value):
        raise InvalidInput(f"{what} has control characters: {value[:100]!r}")
    return value
