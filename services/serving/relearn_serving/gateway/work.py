"""One request on its way through the gateway."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2 as oip

from relearn_media import DecodedImage
from relearn_runtime.errors import RelearnError
from relearn_serving.gateway.model import Model
from relearn_serving.gateway.requests import InferenceRequest
from relearn_serving.gateway.routing import Choice


class Call(Protocol):
    """A call at one of the fronts; it is answered or refused exactly once, from any thread."""

    arrived: float  # time.monotonic()
    deadline: float | None  # time.monotonic(), None for none
    traceparent: str  # as received, "" for none
    size_bytes: int  # of the request

    def message(self) -> oip.ModelInferRequest:
        """The request. Raises MalformedRequest or RequestTooLarge."""
        ...

    def answer(self, response: bytes) -> None:
        """Sends a serialised ModelInferResponse."""
        ...

    def refuse(self, error: RelearnError) -> None: ...

    def expire(self) -> None:
        """The deadline has passed: nobody waits for an answer any more."""
        ...


@dataclass(slots=True, kw_only=True)
class Work:
    """A request with the decisions taken about it; `decoded` and `batch` are filled in on the way."""

    call: Call
    request: InferenceRequest
    choice: Choice
    prediction_id: str
    model: Model | None  # None: pinned to a version that is not loaded yet
    size: int  # predictions asked for
    decoded: Sequence[DecodedImage] = ()
    batch: NDArray[np.float32] | None = None  # [size, c, h, w], what the model sees; None until it is made

    @property
    def size_bytes(self) -> int:
        """What it holds in memory while it waits."""
        made = 0 if self.batch is None else self.batch.nbytes
        return self.call.size_bytes + made + sum(image.pixels.nbytes for image in self.decoded)
