"""What one model version answers, asked with the version pinned.

A pinned request is answered and never counts as evidence, so measuring does not feed the loop.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tritonclient.grpc as triton

BATCH = 32  # pictures in a request
PATIENCE_S = 30.0  # so long a gateway may be away: it is restarted when it dies


def answers(url: str, *, model: str, version: str, contents: Sequence[bytes]) -> list[str]:
    """Classes that `version` of `model` gives to encoded pictures, in their order.

    Raises:
        InferenceServerException: the gateway was away for longer than PATIENCE_S, or refused.
    """
    client = triton.InferenceServerClient(url)
    found: list[str] = []
    for start in range(0, len(contents), BATCH):
        batch = contents[start : start + BATCH]
        image = triton.InferInput("image", [len(batch)], "BYTES")
        image.set_data_from_numpy(np.array(batch, dtype=np.object_))
        result = _patiently(client, model, image, version)
        found += [label.decode() for label in result.as_numpy("label")]
    client.close()
    return found


def _patiently(client: Any, model: str, image: triton.InferInput, version: str) -> Any:
    """One request; the same again while the gateway is away or loads the version."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            return client.infer(model, [image], model_version=version, client_timeout=10.0)
        except triton.InferenceServerException:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.2)
