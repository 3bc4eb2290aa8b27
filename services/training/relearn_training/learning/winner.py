"""The files of a study's winner, from what its trial left."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from safetensors.numpy import save

from relearn_media import preprocess
from relearn_training.learning import calibration
from relearn_training.learning.export import INPUT, OUTPUTS, Served, to_onnx, verify
from relearn_training.learning.groups import groups_of, reference
from relearn_training.learning.inputs import answers
from relearn_training.learning.prepared import Prepared
from relearn_training.learning.projection import Projection, fit_projection
from relearn_training.learning.recipe import RECIPES
from relearn_training.learning.tasks import ExportTask
from relearn_training.learning.weights import load_weights

_PROJECTED_FROM = 4096  # training samples that settle the projection
_VERIFIED_ON = 64


def export(task: ExportTask, prepared: Prepared, *, weights: bytes, temperature: float) -> dict[str, bytes]:
    """File contents by name: `model.onnx`, `model.json`, `reference.safetensors`.

    Raises:
        ExportMismatch: ONNX Runtime does not answer as torch does.
    """
    preprocessing, classes = prepared.preprocessing, prepared.classes
    recipe = RECIPES[task.recipe]
    model = recipe.build(task.parameters, channels=preprocessing.channels, classes=len(classes))
    load_weights(model, weights)
    train = np.concatenate(groups_of(prepared.samples, champion_version_n=0))
    spread = train[np.linspace(0, len(train) - 1, min(len(train), _PROJECTED_FROM)).astype(np.int64)]
    _, features = answers(model, prepared.pixels, spread, preprocessing)
    projection = fit_projection(features)
    served = Served(model, projection)
    onnx = to_onnx(served, channels=preprocessing.channels, height=preprocessing.height, width=preprocessing.width)
    difference = verify(onnx, served, preprocess(prepared.pixels[spread[:_VERIFIED_ON]], preprocessing))
    return {
        "model.onnx": onnx,
        "model.json": json.dumps(
            signature(task, prepared, temperature=temperature, projection=projection)
            | {"verified": {"largest_difference": difference}},
            indent=1,
        ).encode(),
        "reference.safetensors": _reference(model, prepared, projection, temperature),
    }


def signature(task: ExportTask, prepared: Prepared, *, temperature: float, projection: Projection) -> dict[str, Any]:
    """What a server must know about the model; plain JSON values. The layout is docs/model-format.md."""
    preprocessing = prepared.preprocessing
    shape = [-1, preprocessing.channels, preprocessing.height, preprocessing.width]
    dimensions = projection.components.shape[1]
    return {
        "format": 1,
        "recipe": task.recipe,
        "run_id": task.run_id,
        "inputs": [{"name": INPUT, "datatype": "FP32", "shape": shape}],
        "outputs": [
            {"name": OUTPUTS[0], "datatype": "FP32", "shape": [-1, len(prepared.classes)]},
            {"name": OUTPUTS[1], "datatype": "FP32", "shape": [-1, dimensions]},
        ],
        "preprocessing": preprocessing.to_dict(),
        "classes": list(prepared.classes),
        "temperature": temperature,
        "family": task.parameters.family,
        "parameters": task.parameters.to_dict(),
    }


def _reference(model: Any, prepared: Prepared, projection: Projection, temperature: float) -> bytes:
    """Embeddings, confidences and predicted classes of held-out imported samples, never of training images."""
    rows = reference(prepared.samples)
    logits, features = answers(model, prepared.pixels, rows, prepared.preprocessing)
    probabilities = calibration.probabilities(logits, temperature)
    return save(
        {
            "confidence": probabilities.max(axis=1).astype(np.float32),
            "embedding": np.ascontiguousarray((features - projection.centre) @ projection.components),
            "predicted": probabilities.argmax(axis=1).astype(np.int64),
        }
    )
