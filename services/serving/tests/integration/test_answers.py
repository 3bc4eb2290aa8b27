"""What a product gets over `tritonclient`, from a gateway that has its route from control."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tritonclient.grpc.aio as triton
from serving_loop import CLASSES, SIDE, image_input, infer, png

from relearn.serving.v1.events_pb2 import PredictionMade
from relearn_runtime.testing import collect


@pytest.fixture(params=["native", "aio"])
def front(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_an_encoded_image_is_answered_and_told(the_loop: Any, front: str) -> None:
    gateway = await the_loop.serving(favourite=1, front=front)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    result = await infer(gateway.address, png(200), png(10), request_id="mine", headers={"traceparent": parent})

    response = result.get_response()
    prediction_id = response.parameters["prediction_id"].string_param
    assert (response.model_name, response.model_version, response.id) == ("shop", "1", "mine")
    assert response.parameters["model_version"].string_param == "1"
    assert [label.decode() for label in result.as_numpy("label")] == ["coat", "coat"]
    probabilities = result.as_numpy("probabilities")
    np.testing.assert_allclose(probabilities.sum(axis=1), [1, 1], rtol=1e-5)
    np.testing.assert_allclose(result.as_numpy("confidence"), probabilities[:, 1], rtol=1e-6)
    assert probabilities[0, 1] > probabilities[1, 1], "the first picture is brighter"
    events = await collect(the_loop.kafka, PredictionMade, 2)
    first = events[0].message
    assert [event.message.prediction_id for event in events] == [f"{prediction_id}/0", f"{prediction_id}/1"]
    assert [event.message.sequence for event in events] == [1, 2]
    assert (first.arm, first.model_version_id) == (PredictionMade.ARM_CHAMPION, "shop/model/1")
    assert first.input_content == png(200)
    assert first.image_statistics.brightness == pytest.approx(200 / 255)
    assert (first.image_statistics.width, first.image_statistics.height) == (SIDE, SIDE)
    assert len(first.embedding) == 2 * 4
    assert list(first.probabilities) == pytest.approx(probabilities[0].tolist())
    assert first.predicted_label == CLASSES[1]
    assert first.route_revision == 1
    traceparent = events[0].traceparent or ""
    assert traceparent[3:35] == parent[3:35]
    assert traceparent.endswith("-01")


async def test_the_temperature_softens_the_probabilities(the_loop: Any) -> None:
    gateway = await the_loop.serving(favourite=0)

    result = await infer(gateway.address, png(255))

    logits = np.array([1.0 + 1.0, 0, 0]) / 2.0  # bias and a white picture (1 after preprocessing), temperature 2
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(result.as_numpy("probabilities")[0], expected, rtol=1e-5)


async def test_a_tensor_is_answered_and_monitored_without_an_input(the_loop: Any, front: str) -> None:
    gateway = await the_loop.serving(front=front)
    given = triton.InferInput("image", [2, 1, SIDE, SIDE], "FP32")
    given.set_data_from_numpy(np.ones((2, 1, SIDE, SIDE), np.float32))

    async with triton.InferenceServerClient(gateway.address) as client:
        result = await client.infer("shop", [given])

    assert result.as_numpy("probabilities").shape == (2, 3)
    events = await collect(the_loop.kafka, PredictionMade, 2)
    assert events[0].message.WhichOneof("input") is None
    assert events[0].message.input_sha256 == ""


async def test_only_the_outputs_that_were_asked_for_come_back(the_loop: Any) -> None:
    gateway = await the_loop.serving()

    result = await infer(gateway.address, png(), outputs=("label",))

    assert [output.name for output in result.get_response().outputs] == ["label"]


async def test_images_of_any_size_and_colour_are_answered(the_loop: Any) -> None:
    gateway = await the_loop.serving()

    result = await infer(gateway.address, png(255, side=900, mode="RGB"), png(255))

    probabilities = result.as_numpy("probabilities")
    np.testing.assert_allclose(probabilities[0], probabilities[1], rtol=1e-3)


async def test_a_large_input_goes_to_object_storage_first(the_loop: Any) -> None:
    gateway = await the_loop.serving()
    noise = np.random.default_rng(0).integers(0, 255, (800, 800), dtype=np.uint8)
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, format="PNG")
    assert len(buffer.getvalue()) > 256 * 1024

    await infer(gateway.address, buffer.getvalue())

    told = (await collect(the_loop.kafka, PredictionMade, 1))[0].message
    assert told.input_key.startswith("inputs/shop/")
    assert (the_loop.folder / "objects" / told.input_key).read_bytes() == buffer.getvalue()


async def test_metadata_config_health_and_statistics(the_loop: Any, front: str) -> None:
    gateway = await the_loop.serving(front=front)

    async with triton.InferenceServerClient(gateway.address) as client:
        await client.infer("shop", [image_input(png())])
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready("shop")
        assert await client.is_model_ready("shop", "1")
        assert not await client.is_model_ready("shop", "7")
        assert not await client.is_model_ready("nothing")
        server = await client.get_server_metadata()
        model = await client.get_model_metadata("shop")
        config = (await client.get_model_config("shop")).config
        index = await client.get_model_repository_index()
        statistics = await client.get_inference_statistics("shop")

    assert server.name == "relearn"
    assert (model.name, list(model.versions)) == ("shop", ["1"])
    assert [tensor.datatype for tensor in model.inputs] == ["BYTES"]
    assert {tensor.name for tensor in model.outputs} == {"probabilities", "label", "confidence"}
    assert config.parameters["classes"].string_value == '["boot", "coat", "shirt"]'
    assert [(entry.name, entry.version, entry.state) for entry in index.models] == [("shop", "1", "READY")]
    assert statistics.model_stats[0].inference_count == 1


async def test_a_stream_is_answered_in_order_and_survives_a_refusal(the_loop: Any) -> None:
    gateway = await the_loop.serving()

    async def requests() -> Any:
        for image in (png(), b"no image", png()):
            yield {"model_name": "shop", "inputs": [image_input(image)]}

    async with triton.InferenceServerClient(gateway.address) as client:
        answers = [answer async for answer in client.stream_infer(requests())]

    assert [error is None for _, error in answers] == [True, False, True]
    assert "IMAGE_FORMAT_UNSUPPORTED" in str(answers[1][1])


async def test_a_pinned_version_is_loaded_answered_and_never_evidence(the_loop: Any) -> None:
    gateway = await the_loop.serving(favourite=0)
    the_loop.registry.add("shop", 2, favourite=2)

    result = await infer(gateway.address, png(), version="2")

    assert result.get_response().model_version == "2"
    assert result.as_numpy("label")[0] == b"shirt"
    told = (await collect(the_loop.kafka, PredictionMade, 1))[0].message
    assert told.arm == PredictionMade.ARM_PINNED
