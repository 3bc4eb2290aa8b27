"""A product of a test: asks a model about pictures in the background and keeps what came back."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tritonclient.grpc as triton


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said, and which version of it."""

    label: str
    version: str


@dataclass(kw_only=True)
class Asker:
    """Asks about `pictures`, over and over, `rate` a second, while it is entered."""

    url: str
    model: str
    pictures: Sequence[bytes]
    rate: float
    answers: list[Answer] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Nothing is asked yet."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._ask_all, name=f"asking {self.model}")

    def __enter__(self) -> "Asker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _ask_all(self) -> None:
        client = triton.InferenceServerClient(self.url)
        start, number = time.monotonic(), 0
        while not self._stopped.wait(max(0.0, start + number / self.rate - time.monotonic())):
            try:
                self.answers += ask(client, self.model, [self.pictures[number % len(self.pictures)]])
            except triton.InferenceServerException as error:
                self.errors.append(str(error))
            number += 1
        client.close()


def ask(client: Any, model: str, pictures: Sequence[bytes]) -> list[Answer]:
    """Answers about some encoded pictures, in one request."""
    image = triton.InferInput("image", [len(pictures)], "BYTES")
    image.set_data_from_numpy(np.array(pictures, dtype=np.object_))
    result = client.infer(model, [image], client_timeout=10.0)
    version = result.get_response().model_version
    return [Answer(label=label.decode(), version=version) for label in result.as_numpy("label")]
