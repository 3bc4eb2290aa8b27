"""Who asks: the token of a program, or the session that a person began with theirs.

A session is a cookie that holds the person's token, sealed: scripts can't read it, other sites can't send it, and only
a console with the same secret can open it. Nothing is kept here, so any process answers any request, and a token that
is removed ends its sessions at once, everywhere.
"""

from __future__ import annotations

import base64
import re
import time
from collections import OrderedDict
from collections.abc import Callable

from cryptography.fernet import Fernet, InvalidToken
from starlette.requests import HTTPConnection
from starlette.responses import Response

from relearn_console.keys import derived

COOKIE = "relearn_session"
_TOKEN = re.compile(r"[\x21-\x7e]{1,512}")  # what may stand in gRPC metadata


class Sessions:
    """Seals tokens into cookies, and finds the token of a request."""

    def __init__(self, secret: bytes, *, lifetime_s: float, secure: bool) -> None:
        """`secure`: browsers reach it by https, and send the cookie over nothing else."""
        self._sealing = Fernet(base64.urlsafe_b64encode(derived(secret, "sessions")))
        self._lifetime_s, self._secure = int(lifetime_s), secure

    def token(self, request: HTTPConnection) -> str | None:
        """The token that a request comes with; None without one that could be valid."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme:
            token = token.strip()
            return token if scheme.lower() == "bearer" and is_token(token) else None
        try:
            return self._sealing.decrypt(request.cookies.get(COOKIE, ""), ttl=self._lifetime_s).decode()
        except InvalidToken:
            return None

    def begin(self, response: Response, token: str) -> None:
        """Gives the browser a session that lasts from now."""
        sealed = self._sealing.encrypt(token.encode()).decode()
        response.set_cookie(
            COOKIE, sealed, max_age=self._lifetime_s, httponly=True, secure=self._secure, samesite="strict"
        )

    def end(self, response: Response) -> None:
        """Takes the session away from the browser."""
        response.delete_cookie(COOKIE, httponly=True, secure=self._secure, samesite="strict")


def is_token(text: str) -> bool:
    """Whether a text could be a token."""
    return _TOKEN.fullmatch(text) is not None


class Attempts:
    """Counts wrong tokens by address: too many in a minute, and the address has to wait.

    Tokens can't be guessed; this keeps guessing from costing anything but the guesser's time.
    """

    def __init__(self, *, most: int = 10, window_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._window_s, self._clock = most, window_s, clock
        self._wrong: OrderedDict[str, tuple[float, int]] = OrderedDict()  # address: window's begin, count; oldest first

    def wait_s(self, address: str) -> float:
        """How long the address has to wait; 0 when it may try."""
        self._forget()
        began, count = self._wrong.get(address, (0.0, 0))
        return 0.0 if count < self._most else began + self._window_s - self._clock()

    def note_wrong(self, address: str) -> None:
        """The address came with a token that nobody bears."""
        began, count = self._wrong.get(address, (self._clock(), 0))
        self._wrong[address] = (began, count + 1)

    def _forget(self) -> None:
        ended = self._clock() - self._window_s
        while self._wrong and next(iter(self._wrong.values()))[0] <= ended:
            self._wrong.popitem(last=False)
