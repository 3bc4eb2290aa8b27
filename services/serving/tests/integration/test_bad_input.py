"""What is wrong with a request is said with a code and a reason, and harms no other request."""

from __future__ import annotations

import asyncio
import io
import struct
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc.aio as triton
from google.rpc import error_details_pb2, status_pb2
from PIL import Image
from prometheus_client import REGISTRY
from serving_loop import SIDE, image_input, in_force, infer, png
from tritonclient.grpc import service_pb2 as oip
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub
from tritonclient.utils import InferenceServerException

from relearn_runtime.testing import eventually

INVALID, MISSING, STATE = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
)
MAX_IMAGE_BYTES = 200_000


def request(
    *images: bytes, name: str = "image", datatype: str = "BYTES", shape: tuple[int, ...] = (), **fields: Any
) -> oip.ModelInferRequest:
    raw = b"".join(struct.pack("<I", len(image)) + image for image in images)
    message = oip.ModelInferRequest(**{"model_name": "shop", "raw_input_contents": [raw], **fields})
    message.inputs.add(name=name, datatype=datatype, shape=shape or (len(images),))
    return message


def tensor(shape: tuple[int, ...], content: bytes | None = None, **fields: Any) -> oip.ModelInferRequest:
    size = int(np.prod(shape)) if shape else 1
    message = oip.ModelInferRequest(
        **{"model_name": "shop", "raw_input_contents": [bytes(4 * size) if content is None else content], **fields}
    )
    message.inputs.add(name="image", datatype="FP32", shape=shape)
    return message


def bomb() -> bytes:
    """A small file that would be 144 million pixels."""
    buffer = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(buffer, format="PNG")
    return buffer.getvalue()


def animation() -> bytes:
    frames = [Image.new("L", (SIDE, SIDE), grey) for grey in (10, 200)]
    buffer = io.BytesIO()
    frames[0].save(buffer, format="PNG", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def with_key(**value: Any) -> oip.ModelInferRequest:
    message = request(png())
    message.parameters["group_key"].CopyFrom(oip.InferParameter(**value))
    return message


def without_inputs() -> oip.ModelInferRequest:
    return oip.ModelInferRequest(model_name="shop")


def with_output(name: str) -> oip.ModelInferRequest:
    message = request(png())
    message.outputs.add(name=name)
    return message


def with_both_contents() -> oip.ModelInferRequest:
    message = request(png())
    message.inputs[0].contents.bytes_contents.append(png())
    return message


CASES = {
    "no model name": (lambda: request(png(), model_name=""), INVALID, "MODEL_NAME_MISSING"),
    "unknown model": (lambda: request(png(), model_name="nothing"), MISSING, "UNKNOWN_MODEL"),
    "unknown version": (lambda: request(png(), model_version="77"), MISSING, "UNKNOWN_VERSION"),
    "no version number": (lambda: request(png(), model_version="../x"), MISSING, "UNKNOWN_VERSION"),
    "no inputs": (without_inputs, INVALID, "INPUT_MISSING"),
    "unknown input": (lambda: request(png(), name="picture"), INVALID, "UNKNOWN_INPUT"),
    "unknown output": (lambda: with_output("logits"), INVALID, "UNKNOWN_OUTPUT"),
    "a key that is no text": (lambda: with_key(bool_param=True), INVALID, "UNSUPPORTED_PARAMETER"),
    "a key with NUL": (lambda: with_key(string_param="a\0b"), INVALID, "UNSUPPORTED_PARAMETER"),
    "a type as long as a book": (lambda: request(png(), datatype="X" * 20_000), INVALID, "WRONG_DATATYPE"),
    "wrong type": (lambda: request(png(), datatype="UINT8"), INVALID, "WRONG_DATATYPE"),
    "wrong rank": (lambda: request(png(), shape=(1, 1, 1)), INVALID, "WRONG_SHAPE"),
    "empty batch": (lambda: request(shape=(0,)), INVALID, "EMPTY_BATCH"),
    "too many": (lambda: request(*[png()] * 65), INVALID, "BATCH_TOO_LARGE"),
    "fewer than promised": (lambda: request(png(), shape=(2,)), INVALID, "BAD_CONTENTS"),
    "more than promised": (lambda: request(png(), png(), shape=(1,)), INVALID, "BAD_CONTENTS"),
    "both contents": (with_both_contents, INVALID, "BAD_CONTENTS"),
    "no image": (lambda: request(b"hello"), INVALID, "IMAGE_FORMAT_UNSUPPORTED"),
    "damaged image": (lambda: request(png(), png()[:50]), INVALID, "IMAGE_UNDECODABLE"),
    "an animation": (lambda: request(animation()), INVALID, "IMAGE_ANIMATED"),
    "too many bytes": (lambda: request(png() + bytes(MAX_IMAGE_BYTES)), INVALID, "IMAGE_TOO_LARGE"),
    "a bomb": (lambda: request(bomb()), INVALID, "IMAGE_TOO_LARGE"),
    "tensor of another size": (lambda: tensor((1, 1, 4, 4)), INVALID, "WRONG_SHAPE"),
    "tensor without pixels": (lambda: tensor((1, 1, 0, SIDE)), INVALID, "WRONG_SHAPE"),
    "tensor too short": (lambda: tensor((1, 1, SIDE, SIDE), b"1234"), INVALID, "BAD_CONTENTS"),
    "tensor with NaN": (lambda: tensor((1, 1, 1, 1), struct.pack("<f", float("nan"))), INVALID, "NOT_FINITE"),
    "tensor of astronomic size": (lambda: tensor((1, 2**40, 2**40, 2**40), b""), INVALID, "BAD_CONTENTS"),
    "no champion yet": (lambda: request(png(), model_name="empty"), STATE, "NO_CHAMPION"),
}


@pytest.mark.parametrize("front", ["native", "aio"])
async def test_each_bad_request_gets_its_code_and_reason(the_loop: Any, front: str) -> None:
    await the_loop.apply("empty")
    gateway = await the_loop.serving(front=front, max_image_bytes=MAX_IMAGE_BYTES)
    wrong: list[str] = []

    async with grpc.aio.insecure_channel(gateway.address) as channel:
        stub = GRPCInferenceServiceStub(channel)
        for case, (make, code, reason) in CASES.items():
            try:
                await stub.ModelInfer(make(), timeout=60)
                wrong.append(f"{case}: answered")
            except grpc.aio.AioRpcError as error:
                got = (error.code(), *reasons(error))
                if got != (code, reason, "gateway.relearn") or not (error.details() or "").startswith(f"{reason}: "):
                    wrong.append(f"{case}: {got} {error.details()}")
        answer = await stub.ModelInfer(request(png()), timeout=60)

    assert not wrong
    assert answer.model_version == "1"


def reasons(error: grpc.aio.AioRpcError) -> tuple[str, str]:
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin" and isinstance(value, bytes):
            info = error_details_pb2.ErrorInfo()
            status_pb2.Status.FromString(value).details[0].Unpack(info)
            return info.reason, info.domain
    return "", ""


async def test_the_bad_item_of_a_batch_is_named(the_loop: Any) -> None:
    gateway = await the_loop.serving()

    with pytest.raises(InferenceServerException, match="IMAGE_FORMAT_UNSUPPORTED: image 2"):
        await infer(gateway.address, png(), png(), b"hello", png())


async def test_bytes_that_are_no_request_are_refused(the_loop: Any) -> None:
    gateway = await the_loop.serving()

    async with grpc.aio.insecure_channel(gateway.address) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call(b"\xff\xff\xff\xff", timeout=60)

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (raised.value.details() or "").startswith("MALFORMED_REQUEST")


async def test_a_request_over_the_limit_is_refused(the_loop: Any) -> None:
    gateway = await the_loop.serving(max_request_bytes=2_000)

    with pytest.raises(InferenceServerException, match="REQUEST_TOO_LARGE"):
        await infer(gateway.address, bytes(3_000))


async def test_what_is_no_fault_of_the_caller_is_said_too(the_loop: Any) -> None:
    gateway = await the_loop.serving()
    the_loop.registry.add("shop", 2, model=b"not a model")
    said = {"a version that does not run": await refusal(gateway, request(png(), model_version="2"))}
    gateway.models_in_force()["shop/model/1"].run = lambda batch: 1 / 0
    said["a model that fails"] = await refusal(gateway, request(png()))
    await gateway.stop()
    the_loop.gateways.clear()
    again = await the_loop.gateway(registry_address="127.0.0.1:1")
    await in_force(again, "shop", 1)
    said["a version that cannot be fetched"] = await refusal(again, request(png(), model_version="3"))
    await again.stop()
    the_loop.gateways.clear()
    fresh = await the_loop.gateway("fresh", registry_address="127.0.0.1:1")
    said["a model that cannot be fetched"] = await refusal(fresh, request(png()))

    assert said == {
        "a version that does not run": (STATE, "BAD_MODEL"),
        "a model that fails": (grpc.StatusCode.INTERNAL, "INFERENCE_FAILED"),
        "a version that cannot be fetched": (grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE"),
        "a model that cannot be fetched": (grpc.StatusCode.UNAVAILABLE, "NOT_READY"),
    }


async def refusal(gateway: Any, message: oip.ModelInferRequest) -> tuple[grpc.StatusCode, str]:
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await GRPCInferenceServiceStub(channel).ModelInfer(message, timeout=60)
    return raised.value.code(), reasons(raised.value)[0]


async def test_a_bomb_does_not_hold_others_up(the_loop: Any, decoding: list[int]) -> None:
    gateway = await the_loop.serving(max_image_pixels=200_000_000, decode_threads=1)
    slow = [asyncio.create_task(infer(gateway.address, bomb())) for _ in range(3)]
    await eventually(lambda: len(decoding) == len(slow))

    await asyncio.gather(*(infer(gateway.address, png()) for _ in range(10)))

    assert not slow[-1].done(), "the bombs came first and are still being decoded"
    assert [done.get_response().model_version for done in await asyncio.gather(*slow)] == ["1"] * 3


async def test_a_deadline_that_has_passed_is_told_and_the_call_not_run(the_loop: Any, decoding: list[int]) -> None:
    gateway = await the_loop.serving(max_image_pixels=200_000_000, decode_threads=1)
    late = image_input(bomb())
    async with triton.InferenceServerClient(gateway.address) as client:
        assert await client.is_server_live()  # so that the deadline is not spent on connecting
        busy = [asyncio.create_task(infer(gateway.address, bomb())) for _ in range(3)]
        await eventually(lambda: len(decoding) == len(busy))

        with pytest.raises(InferenceServerException, match=r"Deadline|DEADLINE"):
            await client.infer("shop", [late], client_timeout=0.5)

    assert [len(done.as_numpy("label")) for done in await asyncio.gather(*busy)] == [1, 1, 1]
    expired = {"reason": "DEADLINE_EXCEEDED"}
    await eventually(lambda: REGISTRY.get_sample_value("relearn_gateway_refused_requests_total", expired) == 1)
    served = {"project": "shop", "version": "1", "arm": "champion"}
    assert REGISTRY.get_sample_value("relearn_gateway_predictions_total", served) == 3


async def test_more_decoding_than_may_wait_is_refused_at_once(the_loop: Any) -> None:
    gateway = await the_loop.serving(max_image_pixels=200_000_000, decode_threads=1, decode_waiting=0)
    calls = [infer(gateway.address, bomb()) for _ in range(4)]

    answers = await asyncio.gather(*calls, return_exceptions=True)

    refused = [answer for answer in answers if isinstance(answer, InferenceServerException)]
    assert 0 < len(refused) < 4
    assert all("OVERLOADED" in str(answer) for answer in refused)


async def test_a_hundred_cancelled_calls_leave_the_gateway_answering(the_loop: Any) -> None:
    gateway = await the_loop.serving()
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        stub = GRPCInferenceServiceStub(channel)
        calls = [stub.ModelInfer(request(png()), timeout=5) for _ in range(100)]
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    assert (await infer(gateway.address, png())).get_response().model_version == "1"
