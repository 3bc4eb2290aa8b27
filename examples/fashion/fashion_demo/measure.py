"""What one model version answers, asked with the version pinned.

A pinned request is answered and never counts as evidence, so measuring does not feed the loop.
"""

from collections.abc import Sequence

import numpy as np
import tritonclient.grpc as triton

BATCH = 32  # pictures in a request


def answers(url: str, *, model: str, version: str, contents: Sequence[bytes]) -> list[str]:
    """Classes that `version` of `model` gives to encoded pictures, in their order."""
    client = triton.InferenceServerClient(url)
    found: list[str] = []
    for start in range(0, len(contents), BATCH):
        batch = contents[start : start + BATCH]
        image = triton.InferInput("image", [len(batch)], "BYTES")
        image.set_data_from_numpy(np.array(batch, dtype=np.object_))
        result = client.infer(model, [image], model_version=version, client_timeout=30.0)
        found += [label.decode() for label in result.as_numpy("label")]
    client.close()
    return found
