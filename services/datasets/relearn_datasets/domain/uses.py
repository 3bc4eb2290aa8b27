"""What a group of samples is for. Decided once, by the group's first member that is flagged or labeled."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from relearn_datasets.domain.samples import Draw, Stream, Use

BUCKETS = 10_000
"""A group falls into one of so many, for ever: a share that is changed later moves no group that was decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Shares of imported groups that become validation and test, each 0..0.9; the rest is for training."""

    validation: float
    test: float


def bucket(project_id: str, group_key: str) -> int:
    """0..9999 from SHA-256 over the project's name as salt and the group's key; the same on every machine, for ever.

    A group is a recording, a person, a cluster of near-duplicates: hashing its key and not the bytes keeps together
    what would otherwise leak from training into validation.
    """
    digest = hashlib.sha256(f"{project_id}\0{group_key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") * BUCKETS >> 64


def use_of_bucket(bucket: int, shares: Shares) -> Use:
    """The use of an imported group: test from the lowest buckets, then validation, then training."""
    test = round(shares.test * BUCKETS)
    validation = round(shares.validation * BUCKETS)
    if bucket < test:
        return Use.TEST
    return Use.VALIDATION if bucket < test + validation else Use.TRAIN


def use_of(draw: Draw, *, bucket: int, shares: Shares) -> Use:
    """The use of a group whose first member came so.

    What was selected to learn from is for training; what was drawn to know or to judge must never be trained on.
    """
    if draw.stream is Stream.IMPORTED:
        return use_of_bucket(bucket, shares)
    return Use.TRAIN if draw.stream is Stream.SELECTED else Use.VALIDATION
