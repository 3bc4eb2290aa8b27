"""Replay of mutating RPCs: the same `request_id` gets the same answer and does nothing twice."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from google.protobuf.message import Message
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_runtime.callers import current_caller
from relearn_runtime.driver import driver
from relearn_runtime.errors import InvalidInput
from relearn_runtime.schema import requests

SLICE = 10_000
_FORGET = sa.text(
    """delete from requests where ctid in (
           select ctid from requests where begun_at < now() - make_interval(days => :days) limit :slice)"""
)


class RequestIdReused(InvalidInput):
    """The same request_id came with another content, method or caller."""

    reason = "REQUEST_ID_REUSED"


class InvalidRequestId(InvalidInput):
    """A request_id that is empty or no UUID."""

    reason = "INVALID_REQUEST_ID"


class Requests:
    """The remembered answers, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def begin(self, request: Message, *, content: bytes = b"") -> bytes | None:
        """The saved response of an earlier call with this request_id, or None: do it now, then `finish`.

        Two calls at once wait for each other: the second sees what the first saved, or does it when that one failed.

        Args:
            content: digest of what came with the request, where the request alone does not say it all: a stream.

        Raises:
            InvalidInput: INVALID_REQUEST_ID, or REQUEST_ID_REUSED.
        """
        id, digest = request_id(request), _digest(request, content)
        claim = insert(requests).values(request_id=id, digest=digest).on_conflict_do_nothing()
        claimed = await self._connection.execute(claim.returning(requests.c.request_id))
        if claimed.first() is not None:
            return None
        found = sa.select(requests.c.digest, requests.c.response).where(requests.c.request_id == id)
        saved = (await self._connection.execute(found.with_for_update())).one()
        if saved.digest != digest:
            raise RequestIdReused(f"request_id {id} was used for another request", request_id=id)
        return None if saved.response is None else bytes(saved.response)

    async def finish(self, request: Message, response: Message) -> None:
        """Saves the answer of a request that `begin` let pass."""
        save = "update requests set response = $2 where request_id = $1"
        await (await driver(self._connection)).execute(save, request_id(request), response.SerializeToString())


def request_id(request: Any) -> str:
    """The request's id as it is kept.

    Raises:
        InvalidRequestId: it is no UUID.
    """
    try:
        return str(UUID(request.request_id))
    except ValueError as error:
        raise InvalidRequestId(f"request_id must be a UUID, got {request.request_id!r}") from error


def _digest(request: Message, content: bytes) -> bytes:
    """Over method (its request type is its own), caller and content; a stranger must not read another's answer."""
    caller = current_caller()
    parts = (
        request.DESCRIPTOR.full_name.encode(),
        (caller.subject if caller else "").encode(),
        request.SerializeToString(deterministic=True),
        content,
    )
    return hashlib.sha256(b"\0".join(parts)).digest()


async def forget_older(connection: AsyncConnection, *, days: int) -> int:
    """Deletes up to a SLICE of answers that nobody asks for again; how many."""
    return (await connection.execute(_FORGET, {"days": days, "slice": SLICE})).rowcount
