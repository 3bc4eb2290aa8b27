"""The model and the requests of the benchmark: a small CNN on 28 x 28 pictures, with random weights."""

import io
import json
import struct
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from tritonclient.grpc import service_pb2 as oip

from relearn_media import ImageLimits, Preprocessing
from relearn_serving.gateway.artifact import read_card
from relearn_serving.gateway.model import Model

SIDE, CLASSES = 28, 10
VERSION, CHALLENGER = "bench/model/1", "bench/model/2"


def write(folder: Path) -> None:
    """`model.onnx` and `model.json`: two convolutions, two dense layers, 0.1 million parameters."""
    generator = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array((generator.normal(size=shape) * 0.05).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["c1"], strides=[2, 2], pads=[2, 2, 2, 2]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("Flatten", ["r2"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "w3"], ["embedding"]),
        helper.make_node("Relu", ["embedding"], ["r3"]),
        helper.make_node("Gemm", ["r3", "w4"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "cnn",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", CLASSES]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 64]),
        ],
        [
            weights("w1", 16, 1, 5, 5),
            weights("w2", 32, 16, 3, 3),
            weights("w3", 32 * 49, 64),
            weights("w4", 64, CLASSES),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    (folder / "model.onnx").write_bytes(made.SerializeToString())
    preprocessing = Preprocessing(height=SIDE, width=SIDE, channels=1, mean=(0.3,), std=(0.3,))
    card = {"preprocessing": preprocessing.to_dict(), "temperature": 1.5}
    (folder / "model.json").write_text(json.dumps(card))


def load(folder: Path, version: str = VERSION) -> Model:
    """The model as the gateway loads it."""
    return Model(
        folder / "model.onnx",
        read_card((folder / "model.json").read_bytes()),
        model_version_id=version,
        project_id="bench",
        classes=tuple(f"class {number}" for number in range(CLASSES)),
        limits=ImageLimits(),
    )


def tensor_request() -> bytes:
    """3 KiB of FP32, as in the comparison with other servers."""
    message = oip.ModelInferRequest(model_name="bench")
    message.inputs.add(name="image", datatype="FP32", shape=(1, 1, SIDE, SIDE))
    values = np.random.default_rng(1).normal(size=SIDE * SIDE).astype("<f4")
    message.raw_input_contents.append(values.tobytes())
    return bytes(message.SerializeToString())


def image_request() -> bytes:
    """A PNG, which is decoded, described and can be labeled."""
    picture = (np.random.default_rng(1).random((SIDE, SIDE)) * np.linspace(0, 255, SIDE)).astype(np.uint8) & 0xF0
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    message = oip.ModelInferRequest(model_name="bench")
    message.inputs.add(name="image", datatype="BYTES", shape=(1,))
    message.raw_input_contents.append(struct.pack("<I", len(buffer.getvalue())) + buffer.getvalue())
    return bytes(message.SerializeToString())
