"""/session: a person gives their token once, and asks who they are; what is kept is a sealed cookie, by the browser."""

from __future__ import annotations

import json
import math

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from relearn_console.bodies import Refused, body_of
from relearn_console.metrics import SIGN_INS
from relearn_console.sessions import Attempts, Sessions, is_token
from relearn_runtime import Caller
from relearn_runtime.errors import InvalidInput, RelearnError, Unauthenticated
from relearn_runtime.tokens import Tokens

_MOST_BYTES = 4096


class TooManyAttempts(RelearnError):
    """Too many wrong tokens from one address."""

    reason = "TOO_MANY_ATTEMPTS"


class SigningIn:
    """The three methods of /session."""

    def __init__(self, sessions: Sessions, tokens: Tokens, attempts: Attempts) -> None:
        self._sessions, self._tokens, self._attempts = sessions, tokens, attempts

    async def answer(self, request: Request) -> Response:
        """POST begins a session, GET says whose it is and prolongs it, DELETE ends it."""
        try:
            if request.method == "POST":
                return await self._begin(request)
            return self._end() if request.method == "DELETE" else self._tell(request)
        except Refused as refused:
            return refused.answer()

    async def _begin(self, request: Request) -> Response:
        address = request.client.host if request.client else ""
        if (wait_s := self._attempts.wait_s(address)) > 0:
            SIGN_INS.labels("held back").inc()
            seconds = math.ceil(wait_s)
            why = TooManyAttempts(f"too many wrong tokens; try again in {seconds} s", retry_after_s=str(seconds))
            raise Refused(429, why, retry_after_s=seconds)
        token = await _token_of(request)
        if (bearer := self._tokens.bearer(token)) is None:
            self._attempts.note_wrong(address)
            SIGN_INS.labels("refused").inc()
            raise Refused(
                401, Unauthenticated("nobody has this token; copy the whole of it, or ask your manager for a new one")
            )
        SIGN_INS.labels("signed in").inc()
        response = _who(bearer)
        self._sessions.begin(response, token)
        return response

    def _tell(self, request: Request) -> Response:
        token = self._sessions.token(request)
        bearer = self._tokens.bearer(token) if token else None
        if token is None or bearer is None:
            raise Refused(401, Unauthenticated("nobody is signed in"))
        response = _who(bearer)
        if "authorization" not in request.headers:
            self._sessions.begin(response, token)  # whoever works on is not signed out in the middle of it
        return response

    def _end(self) -> Response:
        response = Response(status_code=204)
        self._sessions.end(response)
        return response


async def _token_of(request: Request) -> str:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, InvalidInput('the body must be JSON (application/json): {"token": "..."}'))
    try:
        said = json.loads(await body_of(request, max_bytes=_MOST_BYTES))
    except (ValueError, RecursionError):
        said = None
    token = said.get("token") if isinstance(said, dict) else None
    token = token.strip() if isinstance(token, str) else ""
    if not is_token(token):
        raise Refused(400, InvalidInput('the body must be {"token": "..."} with a token as it was printed'))
    return token


def _who(bearer: Caller) -> Response:
    return JSONResponse({"subject": bearer.subject, "role": bearer.role})
