"""A console over a real socket, and a browser's part of HTTP without a browser."""

from __future__ import annotations

import asyncio
import http.client
import json
import struct
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relearn_console.app import build
from relearn_console.config import Config
from relearn_runtime import new_id, utc_now

NEXT_TASK = "/relearn.labeling.v1.LabelingService/NextTask"
LIST_PROJECTS = "/relearn.registry.v1.RegistryService/ListProjects"
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

    async def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        return await asyncio.to_thread(self._request, method, path, body, headers)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.request("GET", path, **headers)

    async def call(self, path: str, message: Any, **headers: str) -> Answer:
        """A unary call."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return await self.request("POST", path, body, **{"content-type": "application/json", **headers})

    async def stream(self, path: str, message: Any, **headers: str) -> Answer:
        """A streaming call, to its end."""
        body = json.dumps(message).encode()
        framed = struct.pack(">BI", 0, len(body)) + body
        return await self.request("POST", path, framed, **{"content-type": "application/connect+json", **headers})

    async def sign_in(self, token: str, **headers: str) -> Answer:
        return await self.call("/session", {"token": token}, **headers)

    def _request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
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


@asynccontextmanager
async def running(tokens: Any, folder: Path, **settings: Any) -> Any:
    """A browser at a console that serves; addresses of services that are not said are nobody's."""
    given: dict[str, Any] = {
        "listen_address": "127.0.0.1:0",
        "metrics_address": "127.0.0.1:0",
        "web_address": "127.0.0.1:0",
        "registry_address": NOWHERE,
        "labeling_address": NOWHERE,
        "tokens_file": tokens.path,
        "pages_dir": folder / "page",
        "drain_timeout_s": 2,
    }
    service = build(Config(**given | settings), new_id=new_id, now=utc_now)
    await service.start()
    try:
        yield Browser(service.doors[0].address)
    finally:
        await service.stop()
