"""What a model version's files say about it. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relearn_media import Preprocessing
from relearn_runtime.errors import WrongState

MODEL_FILE = "model.onnx"
CARD_FILE = "model.json"
_FORMAT = 1


class BadModel(WrongState):
    """The version's files cannot be served."""

    reason = "BAD_MODEL"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """One file in object storage."""

    name: str
    key: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """What registry knows of a version, as far as serving needs it."""

    model_version_id: str
    project_id: str
    classes: tuple[str, ...]
    files: tuple[ModelFile, ...]

    def file(self, name: str) -> ModelFile:
        for file in self.files:
            if file.name == name:
                return file
        raise BadModel(f"{self.model_version_id} has no {name}", model_version_id=self.model_version_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """`model.json`: how inputs are prepared and logits are read."""

    preprocessing: Preprocessing
    temperature: float  # > 0; divides the logits before the softmax


def read_card(content: bytes) -> Card:
    """The card in the bytes of `model.json`.

    Raises:
        BadModel: not JSON, or something is missing or impossible.
    """
    try:
        values = json.loads(content)
    except ValueError as error:
        raise BadModel(f"{CARD_FILE} is not JSON: {error}") from error
    if not isinstance(values, Mapping):
        raise BadModel(f"{CARD_FILE} holds {type(values).__name__}, expected an object")
    if (version := values.get("format", _FORMAT)) != _FORMAT:
        raise BadModel(f"{CARD_FILE} has format {version!r}, this gateway reads {_FORMAT}")
    return Card(preprocessing=_preprocessing(values), temperature=_temperature(values))


def _preprocessing(values: Mapping[str, Any]) -> Preprocessing:
    try:
        return Preprocessing.from_dict(values["preprocessing"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadModel(f"{CARD_FILE}: preprocessing: {error}") from error


def _temperature(values: Mapping[str, Any]) -> float:
    temperature = values.get("temperature", 1.0)
    if not isinstance(temperature, int | float) or not 0 < temperature < 1e6:
        raise BadModel(f"{CARD_FILE}: temperature must be above 0, got {temperature!r}")
    return float(temperature)
