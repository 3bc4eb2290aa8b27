"""The HTTP server of the console, as a door of its process, and what lies behind which path."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from relearn_console import faults
from relearn_console.bodies import Refused
from relearn_console.bridge import Bridge
from relearn_console.delivering import Delivering
from relearn_console.exposed import Exposed
from relearn_console.guard import HEALTH, Guard
from relearn_console.links import PREFIX
from relearn_console.pages import Pages
from relearn_console.signing_in import SigningIn
from relearn_runtime.errors import InvalidInput
from relearn_runtime.metrics import AddressTaken

_KEEP_ALIVE_S = 30
_BACKLOG = 1024


def application(
    *,
    bridge: Bridge,
    exposed: Sequence[Exposed],
    signing_in: SigningIn,
    delivering: Delivering,
    pages: Pages,
    public_origin: str | None,
) -> ASGIApp:
    """Everything that the console answers."""
    calls = {one.path for one in exposed}

    async def show(request: Request) -> Response:
        if request.url.path in calls:
            raise HTTPException(405, "this is a method: POST to it", headers={"allow": "POST"})
        return pages.answer(request)

    async def alive(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    routes = [
        Route(HEALTH, alive),
        Route("/session", signing_in.answer, methods=["GET", "POST", "DELETE"]),
        Route(f"{PREFIX}/{{view}}/{{name}}", delivering.answer),
        Route("/{path:path}", show),
        Route("/{service}/{method}", bridge.answer, methods=["POST"]),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refused, Exception: _failed})
    return Guard(app, public_origin=public_origin)


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    answer = Refused(error.status_code, InvalidInput(error.detail)).answer()
    answer.headers.update(error.headers or {})
    return answer


async def _failed(request: Request, error: Exception) -> Response:
    """A bug; the server logs it, once."""
    return Response(faults.of_error(error).encoded(), 500, media_type="application/json")


class WebDoor:
    """One listening socket and the server on it."""

    def __init__(self, app: ASGIApp, *, address: str, trusted_proxies: str) -> None:
        self.address = address
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http="h11",  # 0.1 ms slower than httptools, which lets a request's headers grow without end
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=trusted_proxies,
                timeout_keep_alive=_KEEP_ALIVE_S,
                backlog=_BACKLOG,
            )
        )

    async def start(self) -> None:
        """Listens; `address` is the real one from now on.

        Raises:
            AddressTaken: something listens there already.
        """
        host, _, port = self.address.rpartition(":")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listening = socket.create_server((host.strip("[]"), int(port)), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise AddressTaken(f"can't listen on {self.address}: {error.strerror}") from error
        self.address = f"{host}:{listening.getsockname()[1]}"
        self._server.config.load()
        # piece by piece, for `serve` would take the signals that the process's frame waits for
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        await self._server.startup(sockets=[listening])

    async def run(self) -> None:
        """Answers until `stop`."""
        await self._server.main_loop()

    async def stop(self, grace_s: float) -> None:
        """Takes no new connections, and ends what still streams after the grace."""
        self._server.should_exit = True
        if self._server.started:
            self._server.config.timeout_graceful_shutdown = round(grace_s)
            await self._server.shutdown()
