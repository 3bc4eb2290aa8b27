"""What the tap tells is the contract's message in the runtime's envelope, though it is put together by hand."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import numpy as np
import pytest

from relearn.serving.v1.events_pb2 import PredictionMade
from relearn_media import ImageSpec, decode, encode_png
from relearn_runtime.envelope import decode as decode_event
from relearn_runtime.envelope import encode
from relearn_serving.gateway.ids import new_prediction_id
from relearn_serving.gateway.model import Outputs
from relearn_serving.gateway.predictions import INLINE_MAX_BYTES, Answered, Teller, inputs_of, with_input_key
from relearn_serving.gateway.responses import Answers
from relearn_serving.gateway.routing import Arm, Phase, Route
from relearn_serving.gateway.traces import carried_on

ROUTE = Route(
    project_id="shop", revision=7, champion="shop/model/1", challenger="", phase=Phase.SERVING, weight=0, shards=1
)
IMAGE = encode_png(np.full((6, 4), 51, np.uint8))
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
AT = 1_790_000_000.25


def answers() -> Answers:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], np.float32)
    embedding = np.array([[1, 2], [-0.5, 4]], np.float32)
    return Answers.of(Outputs(probabilities, embedding))


def answered(**changes: object) -> Answered:
    decoded = decode(IMAGE, ImageSpec(height=8, width=8, channels=1))
    values = {
        "prediction_id": "p",
        "champion_prediction_id": "",
        "route": ROUTE,
        "arm": Arm.CHAMPION,
        "inputs": inputs_of((IMAGE, IMAGE), (decoded, decoded)),
        "first": 0,
        "size": 2,
        "sequence": 41,
        "group_key": "camera 4",
        "traceparent": TRACE,
        "duration_s": 0.5,
    }
    return Answered(**{**values, **changes})


def told(given: Answered, *, prefix: str = "") -> list[tuple[object, bytes | None]]:
    teller = Teller.of(gateway_id="g", topic_prefix=prefix)
    return teller.tell([given], answers(), model_version_id="shop/model/1", classes=("a", "b", "c"), at=AT)


def test_each_item_is_one_message_with_its_own_number():
    (first, _), (second, _) = told(answered())

    message = PredictionMade.FromString(first.value)
    other = PredictionMade.FromString(second.value)
    assert (message.prediction_id, other.prediction_id) == ("p/0", "p/1")
    assert (message.sequence, other.sequence) == (41, 42)
    assert (message.predicted_label, other.predicted_label) == ("a", "c")
    assert list(other.probabilities) == pytest.approx([0.1, 0.3, 0.6])
    assert other.confidence == pytest.approx(0.6)
    np.testing.assert_array_equal(np.frombuffer(other.embedding, "<f2"), [-0.5, 4])
    assert message.input_content == IMAGE
    assert (message.image_statistics.width, message.image_statistics.height) == (4, 6)
    assert message.image_statistics.brightness == pytest.approx(0.2)
    assert (message.group_key, message.route_revision, message.gateway_id) == ("camera 4", 7, "g")
    assert message.predict_time.ToDatetime(UTC) == datetime.fromtimestamp(AT, UTC)


def test_the_envelope_is_the_runtimes():
    record, _ = told(answered())[0]
    message = PredictionMade.FromString(record.value)

    expected = encode(message, id="p/0", time=datetime.fromtimestamp(AT, UTC), traceparent=TRACE)

    assert record.headers == expected.headers
    assert (record.topic, record.key) == (expected.topic, expected.key)
    assert decode_event(record, PredictionMade, topic=record.topic).message == message
    assert told(answered(), prefix="t.")[0][0].topic == f"t.{expected.topic}"


def test_a_shadow_names_the_champions_prediction_and_shares_its_key():
    route = Route(project_id="shop", revision=7, champion="v1", challenger="v2", phase=Phase.SHADOW, weight=0, shards=8)
    champion, _ = told(answered(route=route))[0]
    shadow, _ = told(answered(route=route, prediction_id="q", champion_prediction_id="p", arm=Arm.SHADOW))[0]

    message = PredictionMade.FromString(shadow.value)
    assert (message.arm, message.champion_prediction_id) == (PredictionMade.ARM_SHADOW, "p/0")
    assert shadow.key == champion.key


def test_a_tensor_has_no_input_and_no_statistics():
    record, left_out = told(answered(inputs=()))[0]

    message = PredictionMade.FromString(record.value)
    assert left_out is None
    assert message.WhichOneof("input") is None
    assert not message.HasField("image_statistics")


def test_a_large_input_is_left_out_and_its_key_put_in_later():
    large = IMAGE + bytes(INLINE_MAX_BYTES)
    (given, other) = answered().inputs
    record, left_out = told(answered(inputs=(given._replace(content=large), other)))[0]

    message = PredictionMade.FromString(with_input_key(record, "inputs/shop/x").value)
    assert left_out == large
    assert message.input_key == "inputs/shop/x"
    assert len(message.input_sha256) == 64


def test_prediction_ids_are_random_uuids():
    ids = {new_prediction_id() for _ in range(1_000)}

    assert len(ids) == 1_000
    assert all(str(uuid.UUID(each)) == each and uuid.UUID(each).version == 4 for each in ids)
    assert {uuid.UUID(each).variant for each in ids} == {uuid.RFC_4122}


def test_a_trace_goes_on_from_the_callers_span():
    assert carried_on(TRACE) == TRACE
    assert carried_on("01" + TRACE[2:]) == TRACE, "we write the version that we know"


@pytest.mark.parametrize("traceparent", ["", "junk", TRACE + "-x", "00-" + "0" * 32 + "-b7ad6b7169203331-01"])
def test_without_a_readable_trace_a_new_one_starts_unsampled(traceparent: str):
    fresh = carried_on(traceparent)

    assert len(fresh) == 55
    assert fresh.endswith("-00")
    assert fresh[3:35] != "0" * 32


def test_an_embedding_beyond_fp16_is_told_as_the_largest_number():
    probabilities = np.array([[0.7, 0.3]], np.float32)
    large = Answers.of(Outputs(probabilities, np.array([[1e6, -3e38]], np.float32)))
    teller = Teller.of(gateway_id="g", topic_prefix="")

    ((record, _),) = teller.tell([answered(inputs=(), size=1)], large, model_version_id="m", classes=("a", "b"), at=AT)

    embedding = np.frombuffer(PredictionMade.FromString(record.value or b"").embedding, "<f2")
    assert embedding.tolist() == [65504.0, -65504.0]


def test_statistics_name_the_originals_channels():
    coloured = encode_png(np.full((6, 4, 3), 51, np.uint8))
    seen = decode(coloured, ImageSpec(height=8, width=8, channels=1))

    ((_, _, statistics),) = inputs_of([coloured], [seen])

    assert (statistics.width, statistics.height, statistics.channels) == (4, 6, 3)
