"""Arrays to bytes and back, as safetensors: fast, and nothing that is loaded can run code."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from relearn_monitoring.domain.predictions import Predictions
from relearn_monitoring.domain.profile import Profile
from relearn_monitoring.domain.reference import Reference

_PREDICTIONS = ("probabilities", "embeddings", "statistics")


def of_predictions(predictions: Predictions) -> bytes:
    """Predictions as they came: float32, embeddings in half precision."""
    return save(_predictions(predictions))


def predictions(body: bytes) -> Predictions:
    """What `of_predictions` wrote."""
    return _as_predictions(load(body))


def of_reference(reference: Reference) -> bytes:
    """A fitted reference, whole."""
    fitted = {name: np.ascontiguousarray(getattr(reference, name)) for name in _fitted()}
    limits = np.array(reference.limits, dtype=np.float64)
    return save(_predictions(reference.predictions) | fitted | {"limits": limits})


def reference(body: bytes, *, reference_id: str) -> Reference:
    """What `of_reference` wrote."""
    tensors = load(body)
    fitted: dict[str, Any] = {name: tensors[name] for name in _fitted()}
    return Reference(
        reference_id=reference_id,
        predictions=_as_predictions(tensors),
        limits=tuple(tensors["limits"].tolist()),
        **fitted,
    )


def of_profile(profile: Profile) -> bytes:
    """A profile without the name of its reference."""
    return save({name: np.asarray(getattr(profile, name), dtype=np.int64) for name in _counted()})


def profile(body: bytes, *, reference_id: str) -> Profile:
    """What `of_profile` wrote."""
    tensors = load(body)
    values: dict[str, Any] = {
        name: int(tensors[name]) if name in ("n", "confidence_sum") else tensors[name] for name in _counted()
    }
    return Profile(reference_id=reference_id, **values)


def _predictions(predictions: Predictions) -> dict[str, Any]:
    return {
        "probabilities": predictions.probabilities.astype(np.float32),
        "embeddings": predictions.embeddings.astype(np.float16),
        "statistics": predictions.statistics.astype(np.float32),
    }


def _as_predictions(tensors: dict[str, Any]) -> Predictions:
    return Predictions(**{name: tensors[name].astype(np.float64) for name in _PREDICTIONS})


def _fitted() -> list[str]:
    kept = ("reference_id", "predictions", "limits")
    return [field.name for field in fields(Reference) if field.name not in kept]


def _counted() -> list[str]:
    return [field.name for field in fields(Profile) if field.name != "reference_id"]
