"""A trained model as ONNX, for serving."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import Tensor, nn

from relearn_training.learning.projection import Projection

INPUT, OUTPUTS = "image", ("logits", "embedding")
TOLERANCE = 1e-4  # on logits of order 10; ONNX Runtime and torch sum in different orders


class ExportMismatch(RuntimeError):
    """The exported model does not answer as the trained one does."""


class Served(nn.Module):
    """The model as it is served: logits and the projected embedding."""

    def __init__(self, model: nn.Module, projection: Projection) -> None:
        super().__init__()
        self.model = model
        self.centre = nn.Buffer(torch.from_numpy(projection.centre))
        self.components = nn.Buffer(torch.from_numpy(projection.components))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits, features = self.model(image)
        return logits, (features - self.centre) @ self.components


def to_onnx(served: Served, *, channels: int, height: int, width: int) -> bytes:
    """One ONNX file with a dynamic batch dimension: `image` [n, c, h, w] float32 to `logits` and `embedding`."""
    served = served.eval().to(memory_format=torch.contiguous_format)
    example = (torch.zeros(2, channels, height, width),)  # a batch of one may be specialised away
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # notes of the exporter about its own future
        program = torch.onnx.export(
            served,
            example,
            dynamo=True,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=65536)},),
            verbose=False,
            external_data=False,
        )
    if program is None:
        raise ExportMismatch("the exporter gave no program")
    return _bare(program.model_proto)


def _bare(model: onnx.ModelProto) -> bytes:
    """Without the exporter's notes, which hold source paths of the machine it ran on."""
    model.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    model.graph.ClearField("value_info")
    return bytes(model.SerializeToString())


def verify(model: bytes, served: Served, inputs: npt.NDArray[np.float32]) -> float:
    """The largest difference between ONNX Runtime and torch on [n, c, h, w] inputs, in batches of 1 and n.

    Raises:
        ExportMismatch: it is larger than TOLERANCE, relative to the largest value.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch in (inputs[:1], inputs):
        with torch.inference_mode():
            expected = [value.numpy() for value in served.eval()(torch.from_numpy(batch))]
        for found, wanted in zip(session.run(list(OUTPUTS), {INPUT: batch}), expected, strict=True):
            scale = max(1.0, float(np.abs(wanted).max()))
            worst = max(worst, float(np.abs(found - wanted).max()) / scale)
    if not worst <= TOLERANCE:
        raise ExportMismatch(f"ONNX Runtime and torch differ by {worst:.2e}, at most {TOLERANCE:.0e} is accepted")
    return worst
