"""The product: it sends pictures and shows answers. It knows an inference server, not Relearn.

    python -m fashion_demo.product --url HOST:PORT --model NAME --rate 100 --seed 0 --log FILE

It reads its orders from standard input: `camera turned` (from now on, pictures come from the
turned camera); it stops when that closes. Every answer is one JSON line in the log.
"""

import argparse
import hashlib
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import tritonclient.grpc as triton

from fashion_demo.camera import turned_camera
from fashion_demo.images import Picture, shuffled

SENDERS = 4  # requests under way at once


class Product:
    """Sends pictures at a steady rate and writes down what came back."""

    def __init__(self, *, url: str, model: str, pictures: list[Picture], rate: float, seed: int, log: TextIO) -> None:
        self._client = triton.InferenceServerClient(url)
        self._model, self._pictures, self._rate, self._seed = model, pictures, rate, seed
        self._log = log
        self._lock = threading.Lock()
        self._sent = 0
        self._start = time.monotonic()
        self._stopped = threading.Event()
        self._turned = threading.Event()

    def run(self, orders: TextIO) -> None:
        """Send until there are no more orders to come."""
        senders = [threading.Thread(target=self._send_all) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        for order in orders:
            if order.strip() == "camera turned":
                self._turned.set()
        self._stopped.set()
        for sender in senders:
            sender.join()

    def _send_all(self) -> None:
        while not self._stopped.is_set():
            with self._lock:
                number, self._sent = self._sent, self._sent + 1
            wait_s = self._start + number / self._rate - time.monotonic()
            if wait_s > 0 and self._stopped.wait(wait_s):
                return
            self._send(number)

    def _send(self, number: int) -> None:
        picture = self._pictures[number % len(self._pictures)]
        turned = self._turned.is_set()
        content = view(picture, turned=turned, noise_seed=[self._seed, number])
        line: dict[str, Any] = {
            "time": time.time(),
            "number": number,
            "turned": turned,
            "picture": picture.name,
            "sha256": hashlib.sha256(content).hexdigest(),
            "truth": picture.label,
        }
        try:
            line |= ask(self._client, self._model, content)
        except triton.InferenceServerException as error:
            line["error"] = str(error)
        with self._lock:
            self._log.write(json.dumps(line) + "\n")
            self._log.flush()


def view(picture: Picture, *, turned: bool, noise_seed: list[int]) -> bytes:
    """The picture as the camera delivers it; the same again for the same seed."""
    if not turned:
        return picture.content
    return turned_camera(picture.content, np.random.default_rng(noise_seed))


def ask(client: Any, model: str, content: bytes) -> dict[str, str]:
    """One request with one encoded picture, over an unmodified tritonclient."""
    image = triton.InferInput("image", [1], "BYTES")
    image.set_data_from_numpy(np.array([content], dtype=np.object_))
    result = client.infer(model, [image], client_timeout=10.0)
    response = result.get_response()
    return {
        "answer": result.as_numpy("label")[0].decode(),
        "version": response.model_version,
        "prediction_id": response.parameters["prediction_id"].string_param,
    }


def main() -> None:
    """The command line of the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rate", type=float, required=True, help="pictures a second")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    options = parser.parse_args()
    with options.log.open("a") as log:
        Product(
            url=options.url,
            model=options.model,
            pictures=shuffled("traffic", seed=options.seed),
            rate=options.rate,
            seed=options.seed,
            log=log,
        ).run(sys.stdin)


if __name__ == "__main__":
    main()
