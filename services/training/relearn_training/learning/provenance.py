"""What made a run: data, start, parameters, seeds, code, libraries. The same again gives the same weights."""

from __future__ import annotations

import hashlib
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import relearn_media
import relearn_training
from relearn_training.learning.tasks import TrialTask
from relearn_training.learning.trial import Trained

_LIBRARIES = ("torch", "numpy", "polars", "pillow", "onnx", "onnxscript", "onnxruntime", "safetensors")


def provenance(task: TrialTask, trained: Trained) -> dict[str, Any]:
    """Part of evaluation.json, plain JSON values; see docs/model-format.md."""
    return {
        "dataset_version_id": task.dataset_version_id,
        "started_from": task.champion_run_id or None,
        "champion_version_n": task.champion_version_n,
        "audits_since_n": task.audits_since_n,
        "trained_on": dict(zip(("imported", "earlier", "new"), trained.groups, strict=True)),
        "recipe": task.recipe,
        "parameters": task.parameters.to_dict(),
        "epochs": task.epochs,
        "steps": trained.steps,
        "seed": task.seed,
        "code_digest": code_digest(),
        "environment": environment(),
    }


def code_digest() -> str:
    """SHA-256, hex, over the source of everything between a pack and a model: learning, its rules, the decoder."""
    training, media = Path(relearn_training.__file__).parent, Path(relearn_media.__file__).parent
    sources = [*(training / "learning").glob("*.py"), *(training / "domain").glob("*.py"), *media.glob("*.py")]
    digest = hashlib.sha256()
    for source in sorted(sources, key=lambda path: (path.parent.name, path.name)):
        digest.update(f"{source.parent.name}/{source.name}\0".encode())
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()


def environment() -> dict[str, str]:
    """Versions of Python, the processor's kind and the libraries; no names of machines or paths."""
    versions = {library: metadata.version(library) for library in _LIBRARIES}
    return {"python": platform.python_version(), "machine": platform.machine(), **versions}
