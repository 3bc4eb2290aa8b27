"""What the service tells its child processes, and what they tell back: small JSON files in the study's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from relearn_media import Preprocessing
from relearn_training.domain.search import Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareTask:
    """Decode a pack.

    Attributes:
        pack, index: files of the pack (docs/pack-format.md).
        classes: of the project, in the order of the model's outputs.
        preprocessing: that of the champion, to be kept; None to derive one.
        size: height, width, channels that the project asks for; None to derive them from the samples.
        champion_version_n: as in TrialTask; counts the new labels.
    """

    pack: Path
    index: Path
    output: Path
    classes: tuple[str, ...]
    preprocessing: Preprocessing | None
    size: tuple[int, int, int] | None
    champion_version_n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTask:
    """Train one model.

    Attributes:
        prepared: folder of the decoded samples.
        dataset_version_id: what it learns from, to be told in its evaluation.
        champion: weights to start from, safetensors; None to start fresh.
        champion_run_id: the run these weights are of; empty to start fresh.
        champion_version_n: number of the dataset version the champion learned from; 0 without one. Selected labels
            after it are new.
        audits_since_n: dataset version after which audits describe the traffic of now.
        epochs: over the union of old and new samples.
    """

    run_id: str
    recipe: str
    parameters: Parameters
    seed: int
    epochs: int
    dataset_version_id: str
    prepared: Path
    output: Path
    champion: Path | None
    champion_run_id: str
    champion_version_n: int
    audits_since_n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTask:
    """Export the winner of a study from what its trial left in `output`."""

    run_id: str
    recipe: str
    parameters: Parameters
    temperature: float
    prepared: Path
    output: Path


Task = PrepareTask | TrialTask | ExportTask


def write(path: Path, task: Task) -> None:
    """`task` as JSON; paths as text."""
    values = asdict(task)
    values["kind"] = type(task).__name__
    if isinstance(task, PrepareTask):
        values["preprocessing"] = task.preprocessing.to_dict() if task.preprocessing else None
    path.write_text(json.dumps(values, default=str), encoding="utf-8")


def read(path: Path) -> Task:
    """The task that `write` wrote. Raises ValueError for another kind."""
    values = json.loads(path.read_text(encoding="utf-8"))
    kind = values.pop("kind")
    if kind == "PrepareTask":
        return _prepare(values)
    if kind == "TrialTask":
        champion = values.pop("champion")
        return TrialTask(
            **_with_paths(values, "prepared", "output"), champion=Path(champion) if champion is not None else None
        )
    if kind == "ExportTask":
        return ExportTask(**_with_paths(values, "prepared", "output"))
    raise ValueError(f"unknown kind of task {kind!r} in {path}")


def _prepare(values: dict[str, Any]) -> PrepareTask:
    preprocessing, size = values["preprocessing"], values["size"]
    return PrepareTask(
        pack=Path(values["pack"]),
        index=Path(values["index"]),
        output=Path(values["output"]),
        classes=tuple(values["classes"]),
        preprocessing=Preprocessing.from_dict(preprocessing) if preprocessing else None,
        size=(int(size[0]), int(size[1]), int(size[2])) if size else None,
        champion_version_n=int(values["champion_version_n"]),
    )


def _with_paths(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    converted = {name: Path(value) if name in names else value for name, value in values.items()}
    converted["parameters"] = Parameters.from_dict(values["parameters"])
    return converted
