"""What the tap tells of answers, and the envelope it travels in.

This is the hot path of the tap. What predictions of one version have in common is serialised once, and
the envelope is written here rather than by `relearn_runtime.envelope.encode`: a test holds the two equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from relearn.serving.v1.events_pb2 import ImageStatistics as StatisticsMessage
from relearn.serving.v1.events_pb2 import PredictionMade
from relearn_contracts.topics import topic_of
from relearn_media import DecodedImage, statistics
from relearn_runtime.envelope import CONTENT_TYPE, Record, source_of
from relearn_serving.gateway.responses import Answers
from relearn_serving.gateway.routing import Arm, Route, partition_key

INLINE_MAX_BYTES = 256 * 1024

ARMS = {
    Arm.CHAMPION: PredictionMade.ARM_CHAMPION,
    Arm.CANARY: PredictionMade.ARM_CANARY,
    Arm.SHADOW: PredictionMade.ARM_SHADOW,
    Arm.PINNED: PredictionMade.ARM_PINNED,
}

_FP16_MAX = float(np.finfo(np.float16).max)

_TOPIC = topic_of(PredictionMade)
_SAME_HEADERS = (
    ("content-type", CONTENT_TYPE.encode()),
    ("ce_specversion", b"1.0"),
)
_SAME_LATER_HEADERS = (
    ("ce_source", source_of(_TOPIC.owner).encode()),
    ("ce_type", PredictionMade.DESCRIPTOR.full_name.encode()),
)


class Input(NamedTuple):
    """One image as the tap tells it: computed once, for the champion and its shadow."""

    content: bytes  # as received
    sha256: str
    statistics: StatisticsMessage


def inputs_of(images: Sequence[bytes], decoded: Sequence[DecodedImage]) -> tuple[Input, ...]:
    """Images and what decoding learned about them, in their order."""
    return tuple(
        Input(image, sha256(image).hexdigest(), _described(pixels, len(image)))
        for image, pixels in zip(images, decoded, strict=True)
    )


class Answered(NamedTuple):
    """One request and its rows among the answers of a run."""

    prediction_id: str  # of the request; item i is `<id>/<i>`
    champion_prediction_id: str  # of the request that is shadowed; empty otherwise
    route: Route
    arm: Arm
    inputs: Sequence[Input]  # empty for a tensor
    first: int  # row of its first item
    size: int
    sequence: int  # number of its first item
    group_key: str
    traceparent: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Who tells, and where to."""

    gateway_id: str
    topic: str

    @classmethod
    def of(cls, *, gateway_id: str, topic_prefix: str) -> "Teller":
        return cls(gateway_id=gateway_id, topic=topic_prefix + _TOPIC.name)

    def tell(
        self,
        answered: Sequence[Answered],
        answers: Answers,
        *,
        model_version_id: str,
        classes: Sequence[str],
        at: float,
    ) -> list[tuple[Record, bytes | None]]:
        """One record per prediction; with an input that is too large to be inside.

        Args:
            at: seconds since 1970.
        """
        seconds = int(at)
        time = Timestamp(seconds=seconds, nanos=int((at - seconds) * 1e9))
        time_text = datetime.fromtimestamp(at, tz=UTC).isoformat().replace("+00:00", "Z").encode()
        numbers = _Numbers(answers)
        told: list[tuple[Record, bytes | None]] = []
        for each in answered:
            route = each.route
            key = partition_key(route, each.champion_prediction_id or each.prediction_id)
            same = _same(route.project_id, route.revision, model_version_id, each.arm.value, self.gateway_id, key)
            for index in range(each.size):
                row = each.first + index
                message = PredictionMade(
                    prediction_id=f"{each.prediction_id}/{index}",
                    sequence=each.sequence + index,
                    predict_time=time,
                    predicted_label=classes[answers.winners[row]],
                    confidence=numbers.confidences[row],
                    duration_s=each.duration_s,
                )
                if each.group_key:
                    message.group_key = each.group_key
                if each.champion_prediction_id:
                    message.champion_prediction_id = f"{each.champion_prediction_id}/{index}"
                left_out = _put_input(message, each.inputs[index]) if each.inputs else None
                value = b"".join((same, message.SerializeToString(), *numbers.of(row)))
                told.append((self._record(message.prediction_id, value, key, time_text, each.traceparent), left_out))
        return told

    def _record(self, prediction_id: str, value: bytes, key: str, time_text: bytes, traceparent: str) -> Record:
        """The event's id is the prediction's, so that a replay is recognised."""
        encoded_id, encoded_key = prediction_id.encode(), key.encode()
        headers = (
            *_SAME_HEADERS,
            ("ce_id", encoded_id),
            *_SAME_LATER_HEADERS,
            ("ce_subject", encoded_id),
            ("ce_time", time_text),
            ("ce_partitionkey", encoded_key),
            ("traceparent", traceparent.encode()),
        )
        return Record(topic=self.topic, key=encoded_key, value=value, headers=headers)


class _Numbers:
    """The arrays of a run as the fields of messages, converted once for all rows.

    A packed field is its values behind a prefix that only depends on their number.
    """

    def __init__(self, answers: Answers) -> None:
        self.confidences: list[float] = answers.confidences.tolist()
        self._probabilities = answers.probabilities.astype("<f4", copy=False).tobytes()
        self._width = 4 * answers.probabilities.shape[1]
        self._prefix = _probabilities_prefix(answers.probabilities.shape[1])
        embedding = answers.embedding
        if embedding is not None and answers.embedding_power > _FP16_MAX**2:
            # beyond the range of fp16 its largest number says more than infinity, which consumers refuse
            embedding = np.clip(embedding, -_FP16_MAX, _FP16_MAX)
        self._embedding = b"" if embedding is None else embedding.astype("<f2").tobytes()
        self._embedding_width = 0 if embedding is None else 2 * embedding.shape[1]
        self._embedding_prefix = _embedding_prefix(self._embedding_width)

    def of(self, row: int) -> tuple[bytes, bytes, bytes, bytes]:
        """Fields `probabilities` and `embedding` of one row, serialised."""
        start, other = row * self._width, row * self._embedding_width
        return (
            self._prefix,
            self._probabilities[start : start + self._width],
            self._embedding_prefix,
            self._embedding[other : other + self._embedding_width],
        )


@lru_cache(maxsize=64)
def _probabilities_prefix(classes: int) -> bytes:
    return bytes(PredictionMade(probabilities=[1.0] * classes).SerializeToString()[: -4 * classes])


@lru_cache(maxsize=64)
def _embedding_prefix(width: int) -> bytes:
    return bytes(PredictionMade(embedding=b"x" * width).SerializeToString()[:-width]) if width else b""


def with_input_key(record: Record, key: str) -> Record:
    """The record of a prediction whose input was written to object storage."""
    return replace(record, value=(record.value or b"") + PredictionMade(input_key=key).SerializeToString())


def _put_input(message: PredictionMade, given: Input) -> bytes | None:
    """Puts the input in, or returns it when it is too large to be inside."""
    message.input_sha256 = given.sha256
    message.image_statistics.CopyFrom(given.statistics)
    if len(given.content) > INLINE_MAX_BYTES:
        return given.content
    message.input_content = given.content
    return None


def _described(image: DecodedImage, size_bytes: int) -> StatisticsMessage:
    """Width, height and channels are the original's; the rest describes the pixels as the model saw them."""
    seen = statistics(image.pixels)
    return StatisticsMessage(
        width=image.source.width,
        height=image.source.height,
        channels=image.source.channels,
        brightness=seen.brightness,
        contrast=seen.contrast,
        sharpness=seen.sharpness,
        size_bytes=size_bytes,
    )


@lru_cache(maxsize=1024)
def _same(project_id: str, revision: int, model_version_id: str, arm: str, gateway_id: str, key: str) -> bytes:
    """What predictions of one version at one revision have in common."""
    message = PredictionMade(
        project_id=project_id,
        partition_key=key,
        model_version_id=model_version_id,
        arm=ARMS[Arm(arm)],
        route_revision=revision,
        gateway_id=gateway_id,
    )
    return bytes(message.SerializeToString())
