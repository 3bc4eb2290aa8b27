"""A model version: an immutable artifact, and where its files are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from relearn_registry.domain.judgements import Measurement

VALIDATION_FILE = "validation.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """One file; `key` in object storage."""

    name: str
    key: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A study's winner. `registered_at` is None while its files are on their way."""

    model_version_id: str
    project_id: str
    number: int
    study_id: str
    run_id: str
    dataset_version_id: str
    family: str
    classes: tuple[str, ...]
    label_set_version: int
    measurements: tuple[Measurement, ...]
    files: tuple[ModelFile, ...]
    registered_at: datetime | None = None

    def file(self, name: str) -> ModelFile | None:
        """The file of this name, if it has one."""
        return next((file for file in self.files if file.name == name), None)


def model_version_id(project_id: str, number: int) -> str:
    """`<project>/model/<number>`."""
    return f"{project_id}/model/{number}"


def registered_files(version: ModelVersion) -> tuple[ModelFile, ...]:
    """Where the files of a version belong: `models/<project>/<number>/<name>`, the same content."""
    prefix = f"models/{version.project_id}/{version.number}"
    return tuple(
        ModelFile(name=f.name, key=f"{prefix}/{f.name}", sha256=f.sha256, size_bytes=f.size_bytes)
        for f in version.files
    )
