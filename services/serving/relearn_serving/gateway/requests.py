"""An Open Inference Protocol request as a value, or a refusal that says what is wrong with it. Pure."""

import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2 as oip

from relearn_serving.gateway.refusals import (
    BadContents,
    BatchTooLarge,
    EmptyBatch,
    InputMissing,
    ModelNameMissing,
    NotFinite,
    UnknownInput,
    UnknownOutput,
    UnsupportedParameter,
    WrongDatatype,
    WrongShape,
)

INPUT = "image"
OUTPUTS = ("probabilities", "label", "confidence")

_LENGTH = struct.Struct("<I")
_MAX_RANK = 4
_MAX_KEY = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may hold."""

    max_batch: int


class InferenceRequest(NamedTuple):
    """What a caller asks for; exactly one of `images` and `tensor` is given.

    A named tuple where a frozen dataclass is the rule: made once per request, at a quarter of the cost.
    """

    project_id: str
    version: str  # empty: whatever the route says
    caller_id: str  # the caller's own id, echoed
    route_key: str  # empty: the prediction's id decides
    group_key: str  # samples of one group share a use; empty: each by itself
    images: tuple[bytes, ...]
    tensor: NDArray[np.float32] | None  # [n, c, h, w], already preprocessed by the caller
    outputs: tuple[str, ...]
    size: int  # predictions asked for


def parse(message: oip.ModelInferRequest, limits: Limits) -> InferenceRequest:
    """The request as a value.

    Raises:
        InvalidInput: one of the subclasses in `refusals`, naming the offending part.
    """
    if not message.model_name:
        raise ModelNameMissing("model_name is empty; it must be the name of a project")
    tensor = _the_input(message)
    raw = _raw(message)
    shape = _shape(tensor, limits)
    images: tuple[bytes, ...] = ()
    array: NDArray[np.float32] | None = None
    if tensor.datatype == "BYTES":
        images = _encoded(tensor, raw, shape)
    elif tensor.datatype == "FP32":
        array = _preprocessed(tensor, raw, shape)
    else:
        raise WrongDatatype(
            f"input 'image' has datatype {tensor.datatype[:80]!r}; expected BYTES (encoded images) or FP32 (a tensor)"
        )
    keyed = bool(message.parameters)  # each look into an empty map costs as much as the rest of the line
    return InferenceRequest(
        project_id=message.model_name,
        version=message.model_version,
        caller_id=message.id,
        route_key=_key(message, "route_key") if keyed else "",
        group_key=_key(message, "group_key") if keyed else "",
        images=images,
        tensor=array,
        outputs=_outputs(message),
        size=shape[0],
    )


def _the_input(message: oip.ModelInferRequest) -> oip.ModelInferRequest.InferInputTensor:
    if not message.inputs:
        raise InputMissing("the request has no inputs; expected one named 'image'")
    for tensor in message.inputs:
        if tensor.name != INPUT:
            raise UnknownInput(f"unknown input {tensor.name[:80]!r}; expected one named 'image'")
        if "shared_memory_region" in tensor.parameters:
            raise UnsupportedParameter("shared memory is not supported; send the bytes in the request")
    if len(message.inputs) > 1:
        raise UnknownInput(f"{len(message.inputs)} inputs named 'image'; expected one (batch along dimension 0)")
    return message.inputs[0]


def _raw(message: oip.ModelInferRequest) -> bytes | None:
    count = len(message.raw_input_contents)
    if count == 0:
        return None
    if count != 1:
        raise BadContents(f"raw_input_contents has {count} entries for 1 input")
    if message.inputs[0].HasField("contents"):
        raise BadContents("give raw_input_contents or contents, not both")
    return bytes(message.raw_input_contents[0])


def _shape(tensor: oip.ModelInferRequest.InferInputTensor, limits: Limits) -> tuple[int, ...]:
    shape = tuple(tensor.shape)
    if not 1 <= len(shape) <= _MAX_RANK:
        raise WrongShape(f"input 'image' has {len(shape)} dimensions; expected [n], [n, 1] or [n, c, h, w]")
    if min(shape) < 0:
        raise WrongShape(f"input 'image' has a negative dimension: {list(shape)}")
    if shape[0] == 0:
        raise EmptyBatch("input 'image' holds no images: its first dimension is 0")
    if shape[0] > limits.max_batch:
        raise BatchTooLarge(f"{shape[0]} images in one request; at most {limits.max_batch} are allowed")
    return shape


def _encoded(
    tensor: oip.ModelInferRequest.InferInputTensor, raw: bytes | None, shape: tuple[int, ...]
) -> tuple[bytes, ...]:
    if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
        raise WrongShape(f"encoded images need shape [n] or [n, 1], got {list(shape)}")
    if raw is None:
        _expect(shape, len(tensor.contents.bytes_contents))  # before millions of empty ones are copied
        images = tuple(tensor.contents.bytes_contents)
    else:
        images = _length_prefixed(raw, shape[0])
        _expect(shape, len(images))
    for index, image in enumerate(images):
        if not image:
            raise BadContents(f"image {index} is empty", index=str(index))
    return images


def _expect(shape: tuple[int, ...], found: int) -> None:
    if found != shape[0]:
        raise BadContents(f"shape {list(shape)} promises {shape[0]} images, the contents hold {found}")


def _length_prefixed(raw: bytes, expected: int) -> tuple[bytes, ...]:
    """Splits `raw` into byte strings, each preceded by its length (4 bytes, little endian)."""
    images: list[bytes] = []
    offset, end = 0, len(raw)
    while offset < end:
        if len(images) == expected:
            raise BadContents(f"raw_input_contents holds more than the {expected} images that the shape promises")
        if offset + 4 > end:
            raise BadContents(f"raw_input_contents ends inside the length of image {len(images)}")
        (length,) = _LENGTH.unpack_from(raw, offset)
        offset += 4
        if offset + length > end:
            raise BadContents(
                f"image {len(images)} claims {length} bytes, {end - offset} are left in raw_input_contents",
                index=str(len(images)),
            )
        images.append(raw[offset : offset + length])
        offset += length
    return tuple(images)


def _preprocessed(
    tensor: oip.ModelInferRequest.InferInputTensor, raw: bytes | None, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    if len(shape) != 4 or 0 in shape:
        raise WrongShape(f"an FP32 'image' needs shape [n, c, h, w] without zeros, got {list(shape)}")
    size = shape[0] * shape[1] * shape[2] * shape[3]  # Python integers: no overflow, whatever was sent
    if raw is not None:
        if len(raw) != 4 * size:
            raise BadContents(f"shape {list(shape)} needs {4 * size} bytes of FP32, got {len(raw)}")
        array = np.frombuffer(raw, dtype="<f4")
    else:
        if len(tensor.contents.fp32_contents) != size:
            raise BadContents(f"shape {list(shape)} needs {size} values, got {len(tensor.contents.fp32_contents)}")
        array = np.array(tensor.contents.fp32_contents, dtype=np.float32)
    if not np.isfinite(array).all():
        raise NotFinite("the FP32 'image' holds NaN or infinity")
    return array.reshape(shape)


def _key(message: oip.ModelInferRequest, name: str) -> str:
    if name not in message.parameters:
        return ""
    parameter = message.parameters[name]
    match parameter.WhichOneof("parameter_choice"):
        case "string_param":
            key = str(parameter.string_param)
        case "int64_param":
            key = str(parameter.int64_param)
        case "uint64_param":
            key = str(parameter.uint64_param)
        case other:
            raise UnsupportedParameter(f"{name} must be a string or an integer, got {other or 'nothing'}")
    if len(key) > _MAX_KEY:
        raise UnsupportedParameter(f"{name} has {len(key)} characters, at most {_MAX_KEY} are allowed")
    if not key.isprintable():
        raise UnsupportedParameter(f"{name} holds characters that cannot be printed: {key!r}")
    return key


def _outputs(message: oip.ModelInferRequest) -> tuple[str, ...]:
    if not message.outputs:
        return OUTPUTS
    names: list[str] = []
    for output in message.outputs:
        if output.name not in OUTPUTS:
            raise UnknownOutput(f"unknown output {output.name[:80]!r}; there are {', '.join(OUTPUTS)}")
        for unsupported in ("classification", "shared_memory_region"):
            if unsupported in output.parameters:
                raise UnsupportedParameter(f"output parameter {unsupported!r} is not supported; ask for 'label'")
        if output.name in names:
            raise UnknownOutput(f"output {output.name!r} is asked for twice")
        names.append(output.name)
    return tuple(names)
