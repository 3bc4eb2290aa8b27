"""Object storage: what is damaged or gone is told as an error of ours."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save

from relearn_monitoring.clients import Objects
from relearn_runtime.errors import InvalidInput, NotFound


async def test_provisional_reference_is_read(tmp_path):
    tensors = {
        "confidence": np.array([0.5, 1.0], dtype=np.float32),
        "embedding": np.ones((2, 3), dtype=np.float16),
        "predicted": np.array([1, 0]),
    }
    tmp_path.joinpath("reference").write_bytes(save(tensors))

    found = await Objects(f"file://{tmp_path}").provisional("reference")

    assert (found.confidence.tolist(), found.embeddings.shape, found.labels.tolist()) == ([0.5, 1.0], (2, 3), [1, 0])


@pytest.mark.parametrize("body", [b"", b"damaged", save({"confidence": np.zeros(2)})])
async def test_damaged_provisional_reference_is_refused(tmp_path, body):
    tmp_path.joinpath("reference").write_bytes(body)

    with pytest.raises(InvalidInput, match="is no reference"):
        await Objects(f"file://{tmp_path}").provisional("reference")


async def test_object_that_is_gone_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="no object 'inputs/1'"):
        await Objects(f"file://{tmp_path}").read("inputs/1")
