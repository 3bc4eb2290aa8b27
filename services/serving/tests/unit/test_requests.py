"""Parsing requests: every refusal names what is wrong, and no bytes can do worse than be refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.grpc import InferInput
from tritonclient.grpc import service_pb2 as oip

from relearn_runtime.errors import InvalidInput
from relearn_serving.gateway import refusals
from relearn_serving.gateway.requests import Limits, parse

LIMITS = Limits(max_batch=8)


def message(*images: bytes) -> oip.ModelInferRequest:
    raw = b"".join(struct.pack("<I", len(image)) + image for image in images)
    made = oip.ModelInferRequest(model_name="shop", raw_input_contents=[raw])
    made.inputs.add(name="image", datatype="BYTES", shape=(len(images),))
    return made


def test_images_come_from_raw_contents_behind_their_lengths():
    parsed = parse(message(b"one", b"three"), LIMITS)

    assert parsed.images == (b"one", b"three")
    assert parsed.size == 2
    assert parsed.outputs == ("probabilities", "label", "confidence")


def test_images_come_from_typed_contents_too():
    made = message(b"one", b"two")
    del made.raw_input_contents[:]
    made.inputs[0].contents.bytes_contents.extend([b"one", b"two"])

    assert parse(made, LIMITS).images == (b"one", b"two")


def test_a_column_of_images_is_a_batch():
    made = message(b"one", b"two")
    made.inputs[0].shape[:] = (2, 1)

    assert parse(made, LIMITS).size == 2


def test_what_tritonclient_builds_is_read_back():
    given_input = InferInput("image", [2], "BYTES")
    given_input.set_data_from_numpy(np.array([b"\x00\xff", b"x" * 300], dtype=np.object_))
    made = oip.ModelInferRequest(model_name="shop", raw_input_contents=[given_input._get_content()])
    made.inputs.append(given_input._get_tensor())

    assert parse(made, LIMITS).images == (b"\x00\xff", b"x" * 300)


def test_a_tensor_keeps_its_values_and_shape():
    values = np.arange(12, dtype="<f4").reshape(1, 3, 2, 2)
    made = oip.ModelInferRequest(model_name="shop", raw_input_contents=[values.tobytes()])
    made.inputs.add(name="image", datatype="FP32", shape=values.shape)

    parsed = parse(made, LIMITS)

    assert parsed.tensor is not None
    np.testing.assert_array_equal(parsed.tensor, values)


@pytest.mark.parametrize(("value", "expected"), [({"string_param": "ann"}, "ann"), ({"int64_param": -7}, "-7")])
def test_a_route_key_is_a_string_or_an_integer(value: dict[str, object], expected: str):
    made = message(b"one")
    made.parameters["route_key"].CopyFrom(oip.InferParameter(**value))

    assert parse(made, LIMITS).route_key == expected


def test_a_route_key_of_another_kind_is_refused():
    made = message(b"one")
    made.parameters["route_key"].bool_param = True

    with pytest.raises(refusals.UnsupportedParameter, match="route_key"):
        parse(made, LIMITS)


@pytest.mark.parametrize("name", ["route_key", "group_key"])
@pytest.mark.parametrize("key", ["a\0b", "line\nbreak", "x" * 257])
def test_a_key_that_no_table_can_hold_is_refused(name: str, key: str):
    made = message(b"one")
    made.parameters[name].string_param = key

    with pytest.raises(refusals.UnsupportedParameter, match=name):
        parse(made, LIMITS)


def test_a_refusal_quotes_no_more_of_a_request_than_fits_into_its_answer():
    made = message(b"one")
    made.inputs[0].datatype = "X" * 100_000

    with pytest.raises(refusals.WrongDatatype) as raised:
        parse(made, LIMITS)

    assert len(str(raised.value)) < 300


def test_a_length_beyond_the_end_is_refused_and_names_the_image():
    made = message(b"one")
    made.inputs[0].shape[:] = (2,)
    made.raw_input_contents[0] += struct.pack("<I", 4_000_000_000) + b"x"

    with pytest.raises(refusals.BadContents, match="image 1 claims 4000000000 bytes, 1 are left"):
        parse(made, LIMITS)


def test_no_two_refusals_share_a_reason():
    reasons = [
        kind.reason
        for kind in vars(refusals).values()
        if isinstance(kind, type) and kind.__module__ == refusals.__name__
    ]

    assert len(reasons) == len(set(reasons))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(raw: bytes):
    made = message(b"one")
    made.raw_input_contents[0] = raw

    try:
        parsed = parse(made, LIMITS)
    except InvalidInput:
        return
    assert sum(map(len, parsed.images)) + 4 * parsed.size == len(raw)


@settings(max_examples=300, deadline=None)
@given(
    name=st.text(max_size=8),
    datatype=st.sampled_from(["BYTES", "FP32", "INT8", ""]),
    shape=st.lists(st.integers(-(2**62), 2**62) | st.integers(0, 4), max_size=6),
    raw=st.lists(st.binary(max_size=64), max_size=3),
    outputs=st.lists(st.sampled_from(["label", "probabilities", "x", ""]), max_size=3),
)
def test_any_request_is_parsed_or_refused(
    name: str, datatype: str, shape: list[int], raw: list[bytes], outputs: list[str]
):
    made = oip.ModelInferRequest(model_name="shop", raw_input_contents=raw)
    made.inputs.add(name=name or "image", datatype=datatype, shape=shape)
    for output in outputs:
        made.outputs.add(name=output)

    try:
        parsed = parse(made, LIMITS)
    except InvalidInput:
        return
    assert 1 <= parsed.size <= LIMITS.max_batch
