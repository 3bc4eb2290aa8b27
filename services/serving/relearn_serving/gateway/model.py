"""A model version in memory: ONNX Runtime, one thread, no spinning."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from relearn_media import ImageLimits
from relearn_serving.gateway.artifact import BadModel, Card
from relearn_serving.gateway.routing import version_number

FloatArray = NDArray[np.float32]

MAX_EMBEDDING = 64
_SLOW_S = 0.001  # above this a model would hold up the loop, so it gets a thread of its own
_WARM_UP_RUNS = 5
_INPUT_RANK = 4


@dataclass(frozen=True, slots=True)
class Outputs:
    """What one run gives."""

    probabilities: FloatArray  # [n, classes], calibrated; rows sum to 1
    embedding: FloatArray | None  # [n, at most 64]


class Model:
    """One loaded version; `run` may be called from several threads."""

    def __init__(
        self,
        path: Path,
        card: Card,
        *,
        model_version_id: str,
        project_id: str,
        classes: tuple[str, ...],
        limits: ImageLimits,
    ) -> None:
        self.model_version_id = model_version_id
        self.project_id = project_id
        self.version = version_number(model_version_id)
        self.classes = classes
        self.labels = tuple(length_prefixed(name) for name in classes)  # as responses hold them
        self.preprocessing = card.preprocessing
        self.spec = replace(card.preprocessing.spec, limits=limits)
        self._scale = np.float32(1 / card.temperature)
        self._session = _session(path)
        self._input = _only_input(self._session, card)
        self._outputs = _outputs(self._session)
        self.run_s = self._warm_up()

    @property
    def slow(self) -> bool:
        return self.run_s > _SLOW_S

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """c, h, w."""
        card = self.preprocessing
        return card.channels, card.height, card.width

    def run(self, batch: FloatArray) -> Outputs:
        """Answers `batch` [n, c, h, w]; rows in which the model overflows hold NaN or infinity."""
        results = self._session.run(self._outputs, {self._input: batch})
        embedding = results[1] if len(results) > 1 else None
        with np.errstate(over="ignore", invalid="ignore"):
            return Outputs(softmax(results[0] * self._scale), embedding)

    def _warm_up(self) -> float:
        """Seconds that one run of one input takes; also proves that the model runs and fits its classes."""
        batch = np.zeros((2, *self.input_shape), dtype=np.float32)
        try:
            outputs = self.run(batch)
        except Exception as error:  # whatever ONNX Runtime raises, the model is unusable
            raise BadModel(f"{self.model_version_id} does not run on {list(batch.shape)}: {error}") from error
        if outputs.probabilities.shape != (2, len(self.classes)):
            raise BadModel(
                f"{self.model_version_id} answers {list(outputs.probabilities.shape)} for a batch of 2,"
                f" its label set has {len(self.classes)} classes"
            )
        embedding = outputs.embedding
        if embedding is not None and (embedding.ndim != 2 or len(embedding) != 2 or embedding.shape[1] > MAX_EMBEDDING):
            raise BadModel(
                f"{self.model_version_id}: embedding is {list(embedding.shape)}; expected [2, at most {MAX_EMBEDDING}]"
            )
        seconds = []
        for _ in range(_WARM_UP_RUNS):
            start = time.perf_counter()
            self.run(batch[:1])
            seconds.append(time.perf_counter() - start)
        return min(seconds)


def length_prefixed(label: str) -> bytes:
    """A BYTES element as the raw contents of the Open Inference Protocol hold it."""
    encoded = label.encode()
    return len(encoded).to_bytes(4, "little") + encoded


def softmax(logits: FloatArray) -> FloatArray:
    """Rows that sum to 1; [n, k] in, [n, k] out."""
    probabilities: FloatArray = logits - np.maximum.reduce(logits, axis=1, keepdims=True)
    np.exp(probabilities, out=probabilities)
    probabilities /= np.add.reduce(probabilities, axis=1, keepdims=True)
    return probabilities


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise BadModel(f"ONNX Runtime cannot load {path.name}: {error}") from error


def _only_input(session: onnxruntime.InferenceSession, card: Card) -> str:
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != _INPUT_RANK or inputs[0].type != "tensor(float)":
        found = [(tensor.name, tensor.type, tensor.shape) for tensor in inputs]
        raise BadModel(f"the model needs one float input [n, c, h, w], it has {found}")
    expected = (card.preprocessing.channels, card.preprocessing.height, card.preprocessing.width)
    declared = inputs[0].shape[1:]
    if any(isinstance(size, int) and size != want for size, want in zip(declared, expected, strict=True)):
        raise BadModel(f"the model takes {declared}, its preprocessing makes {list(expected)}")
    return str(inputs[0].name)


def _outputs(session: onnxruntime.InferenceSession) -> list[str]:
    names = [output.name for output in session.get_outputs()]
    if "logits" not in names:
        raise BadModel(f"the model has no output 'logits', only {names}")
    return ["logits", "embedding"] if "embedding" in names else ["logits"]
