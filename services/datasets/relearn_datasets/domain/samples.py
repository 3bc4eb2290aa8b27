"""Samples and their names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from relearn_datasets.domain.errors import UnknownSample, UnknownVersion
from relearn_datasets.domain.values import LabelValue

_PROJECT = r"[a-z][a-z0-9-]{0,39}"
_SAMPLE_ID = re.compile(rf"({_PROJECT})/sample/([0-9a-f]{{64}})")
_VERSION_ID = re.compile(rf"({_PROJECT})/data/([1-9][0-9]{{0,17}})")


class Stream(Enum):
    """Why the label of a sample was bought; IMPORTED: it was not."""

    IMPORTED = "imported"
    AUDIT = "audit"
    SELECTED = "selected"
    DISAGREEMENT = "disagreement"


class Use(Enum):
    """What a sample is for."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Why a sample's label was wanted: set once, with its first flag or its first label.

    Attributes:
        probability: with which it was picked, 0 < p <= 1; None when imported.
    """

    stream: Stream
    probability: float | None


IMPORTED = Draw(stream=Stream.IMPORTED, probability=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the bytes of a sample say about themselves.

    Attributes:
        sha256: 32 bytes.
        media_type: found in the bytes, never taken from who sent them.
    """

    sha256: bytes
    size_bytes: int
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One input to a model, as datasets knows it now.

    Attributes:
        draw: why its label was wanted; None while nobody has asked and no label is there.
        origin: where it came from, for people: `import:<name>`, `prediction:<id>`.
        label: in the newest version, None without one.
    """

    project_id: str
    content: Content
    group_key: str
    use: Use | None
    draw: Draw | None
    origin: str
    label: LabelValue | None
    created_at: datetime

    @property
    def sample_id(self) -> str:
        return sample_id(self.project_id, self.content.sha256)


def sample_id(project_id: str, sha256: bytes) -> str:
    """`<project>/sample/<sha256>`."""
    return f"{project_id}/sample/{sha256.hex()}"


def parse_sample_id(text: str) -> tuple[str, bytes]:
    """Project and SHA-256 of a sample id.

    Raises:
        UnknownSample: no sample can have this id.
    """
    if (match := _SAMPLE_ID.fullmatch(text)) is None:
        raise UnknownSample(f"there is no sample {text!r}: an id is <project>/sample/<sha256>", sample_id=text)
    return match[1], bytes.fromhex(match[2])


def version_id(project_id: str, number: int) -> str:
    """`<project>/data/<number>`."""
    return f"{project_id}/data/{number}"


def parse_version_id(text: str) -> tuple[str, int]:
    """Project and number of a dataset version id.

    Raises:
        UnknownVersion: no version can have this id.
    """
    if (match := _VERSION_ID.fullmatch(text)) is None:
        raise UnknownVersion(
            f"there is no dataset version {text!r}: an id is <project>/data/<n>", dataset_version_id=text
        )
    return match[1], int(match[2])
