"""A console over a real socket, and a browser's part of HTTP without a browser."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import math
import struct
import threading
import wave
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relearn_console.app import build
from relearn_console.config import Config
from relearn_runtime import new_id, utc_now

NEXT_TASK = "/relearn.labeling.v1.LabelingService/NextTask"
LIST_PROJECTS = "/relearn.registry.v1.RegistryService/ListProjects"
SECRET = "a secret that the tests know, too"
NOWHERE = "127.0.0.1:1"  # a port on which nothing of ours listens


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def frames(self) -> list[tuple[int, Any]]:
        """Flags and message of each frame of a stream."""
        found, rest = [], self.body
        while rest:
            flags, length = struct.unpack_from(">BI", rest)
            found.append((flags, json.loads(rest[5 : 5 + length])))
            rest = rest[5 + length :]
        return found


@dataclass
class Browser:
    """Sends requests to one console; keeps the session's cookie as a browser does."""

    address: str
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, **headers)

    def call(self, path: str, message: Any, **headers: str) -> Answer:
        """A unary call."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self.request("POST", path, body, **{"content-type": "application/json", **headers})

    def stream(self, path: str, message: Any, **headers: str) -> Answer:
        """A streaming call, to its end."""
        body = json.dumps(message).encode()
        framed = struct.pack(">BI", 0, len(body)) + body
        return self.request("POST", path, framed, **{"content-type": "application/connect+json", **headers})

    def sign_in(self, token: str, **headers: str) -> Answer:
        return self.call("/session", {"token": token}, **headers)

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        host, _, port = self.address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.cookie:
            sent.setdefault("cookie", self.cookie)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer


def sound(seconds: float = 1.0, rate: int = 8000) -> bytes:
    """A WAV of 440 Hz."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        tone = (round(20000 * math.sin(2 * math.pi * 440 * n / rate)) for n in range(int(seconds * rate)))
        file.writeframes(b"".join(struct.pack("<h", value) for value in tone))
    return buffer.getvalue()


class Console:
    """The process's frame in a loop of its own, as in a process of its own."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def start(self) -> str:
        """Serves; returns its address."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self.service.doors[0].address

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            self.service = build(self._config, new_id=new_id, now=utc_now)
            await self.service.start()
        except BaseException as error:
            self._failure = error
            raise
        finally:
            self._ready.set()
        await self._stop.wait()
        await self.service.stop()


@contextmanager
def running(tokens: Any, folder: Path, **settings: Any) -> Iterator[Browser]:
    """A browser at a console that serves; addresses of services that are not said are nobody's."""
    given: dict[str, Any] = {
        "listen_address": "127.0.0.1:0",
        "metrics_address": "127.0.0.1:0",
        "web_address": "127.0.0.1:0",
        "registry_address": NOWHERE,
        "labeling_address": NOWHERE,
        "datasets_address": NOWHERE,
        "object_store_url": (folder / "objects").as_uri(),
        "work_dir": folder / "work",
        "tokens_file": tokens.path,
        "pages_dir": folder / "page",
        "drain_timeout_s": 2,
    }
    console = Console(Config(**given | settings))
    address = console.start()
    try:
        yield Browser(address)
    finally:
        console.stop()
