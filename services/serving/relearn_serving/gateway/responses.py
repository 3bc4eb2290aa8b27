"""Answers as Open Inference Protocol messages.

What is the same for all requests of one kind (names, shapes, parameters) is serialised once; protobuf
messages may be concatenated, so an answer is that template, its prediction id and its numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2 as oip

from relearn_serving.gateway.model import Model, Outputs
from relearn_serving.gateway.requests import InferenceRequest


@dataclass(frozen=True, slots=True)
class Answers:
    """The outputs of one run in the forms that responses and the tap need, computed once for the batch."""

    probabilities: NDArray[np.float32]  # [n, classes]
    embedding: NDArray[np.float32] | None  # [n, at most 64]
    winners: Sequence[int]  # most likely class of each row
    confidences: NDArray[np.float32]  # [n], its probability

    embedding_power: float  # sum of all its squares: says cheaply that no value is large, or none a number

    @classmethod
    def of(cls, outputs: Outputs) -> "Answers":
        probabilities = np.ascontiguousarray(outputs.probabilities, dtype=np.float32)
        embedding = outputs.embedding
        return cls(
            probabilities,
            embedding,
            probabilities.argmax(axis=1).tolist(),
            probabilities.max(axis=1),
            0.0 if embedding is None else float(np.vdot(embedding, embedding)),
        )

    @classmethod
    def together(cls, runs: Sequence["Answers"]) -> "Answers":
        """The answers of several runs of one model, in their order."""
        if len(runs) == 1:
            return runs[0]
        embeddings = [run.embedding for run in runs if run.embedding is not None]
        return cls(
            np.concatenate([run.probabilities for run in runs]),
            np.concatenate(embeddings) if embeddings else None,
            [winner for run in runs for winner in run.winners],
            np.concatenate([run.confidences for run in runs]),
            sum(run.embedding_power for run in runs),
        )

    def not_numbers(self) -> set[int]:
        """Rows whose probabilities or embedding are not finite numbers."""
        if isfinite(sum(self.confidences.tolist())) and isfinite(self.embedding_power):
            return set()  # the maximum of a row with NaN is NaN
        rows = np.isfinite(self.probabilities).all(axis=1)
        if self.embedding is not None:
            rows &= np.isfinite(self.embedding).all(axis=1)
        return set(np.flatnonzero(~rows).tolist())


def response(request: InferenceRequest, model: Model, answers: Answers, *, prediction_id: str, first: int) -> bytes:
    """The serialised ModelInferResponse to `request`, whose rows start at `first`."""
    end = first + request.size
    head, tail = _template(
        request.project_id, model.version, request.size, len(model.classes), request.outputs, len(prediction_id)
    )
    contents = [_content(name, model, answers, first, end) for name in request.outputs]
    numbers = oip.ModelInferResponse(id=request.caller_id, raw_output_contents=contents)
    return b"".join((head, prediction_id.encode(), tail, numbers.SerializeToString()))


def _content(name: str, model: Model, answers: Answers, first: int, end: int) -> bytes:
    match name:
        case "probabilities":
            return answers.probabilities[first:end].tobytes()
        case "confidence":
            return answers.confidences[first:end].tobytes()
        case _:
            return b"".join(model.labels[winner] for winner in answers.winners[first:end])


@lru_cache(maxsize=1024)
def _template(
    project_id: str, version: str, n: int, classes: int, outputs: tuple[str, ...], id_length: int
) -> tuple[bytes, bytes]:
    """The constant part of a response, before and after the prediction id."""
    placeholder = "\x01" * id_length
    message = oip.ModelInferResponse(model_name=project_id, model_version=version)
    message.parameters["prediction_id"].string_param = placeholder
    message.parameters["model_version"].string_param = version
    for name in outputs:
        datatype = "BYTES" if name == "label" else "FP32"
        message.outputs.add(name=name, datatype=datatype, shape=(n, classes) if name == "probabilities" else (n,))
    head, _, tail = bytes(message.SerializeToString()).partition(placeholder.encode())
    return head, tail
