"""Packs: a version as training wants it."""

from __future__ import annotations

from dataclasses import dataclass

from relearn_datasets.domain.samples import Draw, Use
from relearn_datasets.domain.values import LabelValue


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedSample:
    """One labeled sample of a version.

    Attributes:
        version_number: of the version in which its label came in.
    """

    sample_id: str
    sha256: bytes
    size_bytes: int
    label: LabelValue
    use: Use
    draw: Draw
    group_key: str
    version_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """The pack of one version. `index_sha256` is None until it is made."""

    project_id: str
    number: int
    digest: bytes
    samples: int
    index_sha256: str | None
    attempts: int
    failure: str | None

    @property
    def prefix(self) -> str:
        return f"packs/{self.digest.hex()}/"
