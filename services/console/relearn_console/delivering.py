"""GET /media/…: the bytes that a signed link opens, whole or in part; never anything that a browser would run."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from relearn_console.bodies import Refused
from relearn_console.clients import Blobs, BytesMissing, Content, FileBytes
from relearn_console.links import LinkEnded, LinkForged, Links, Target, View, suffix_of, target_of
from relearn_console.metrics import MEDIA
from relearn_console.preparing import NotPrepared, Preparing
from relearn_console.ranges import Part, Unsatisfiable, part_of
from relearn_runtime import Now
from relearn_runtime.errors import DependencyUnavailable, NotFound

_PATIENCE_S = 30.0  # what was made on another machine, or deleted for want of room, is made again
_POLICY = "default-src 'none'; sandbox"


class BeingMade(DependencyUnavailable):
    """What a link opens is being made again."""

    reason = "MEDIA_BEING_MADE"


class Delivering:
    """Answers links. A link needs no session: its signature says that somebody may see the sample."""

    def __init__(self, *, links: Links, blobs: Blobs, preparing: Preparing, now: Now) -> None:
        self._links, self._blobs, self._preparing, self._now = links, blobs, preparing, now

    async def answer(self, request: Request) -> Response:
        """The bytes, or why not."""
        try:
            response = await self._answer(request)
        except Refused as refused:
            response = refused.answer()
        MEDIA.labels(str(response.status_code)).inc()
        return response

    async def _answer(self, request: Request) -> Response:
        target = target_of(request.path_params["view"], request.path_params["name"])
        if target is None:
            raise Refused(404, NotFound("there is no such media"))
        headers = _headers(target) | {"cache-control": f"private, max-age={self._left_s(request, target)}, immutable"}
        known = request.headers.get("if-none-match", "")
        if headers["etag"] in {tag.strip().removeprefix("W/") for tag in known.split(",")}:
            return Response(status_code=304, headers=headers)
        content = await self._content(target)
        return _in_part(request, content, headers, target.media_type)

    def _left_s(self, request: Request, target: Target) -> int:
        said = request.query_params
        try:
            left = self._links.remaining(
                target, expires=said.get("expires", ""), signature=said.get("signature", ""), now=self._now()
            )
        except LinkForged as forged:
            raise Refused(403, forged) from forged
        except LinkEnded as ended:
            raise Refused(410, ended) from ended
        return int(left.total_seconds())

    async def _content(self, target: Target) -> Content:
        try:
            if target.view is View.SOURCE:
                return await self._blobs.content(target.sha256)
            path = await self._preparing.file(target, patience_s=_PATIENCE_S)
            if path is not None:
                return FileBytes(path=path, size=path.stat().st_size)
        except (BytesMissing, NotPrepared, FileNotFoundError) as error:
            raise Refused(404, NotFound(str(error))) from error
        except DependencyUnavailable as error:
            raise Refused(503, error) from error
        raise Refused(503, BeingMade("it is being made; ask again in a moment"), retry_after_s=2)


def _headers(target: Target) -> dict[str, str]:
    """What is the same for every part of it. What came from outside is never shown as a document of its own."""
    disposition = "attachment" if target.view is View.SOURCE else "inline"
    name = f"{target.sha256[:16]}-{target.view.value}.{suffix_of(target.media_type)}"
    return {
        "etag": f'"{target.sha256}-{target.view.value}"',
        "accept-ranges": "bytes",
        "content-disposition": f'{disposition}; filename="{name}"',
        "content-security-policy": _POLICY,
    }


def _in_part(request: Request, content: Content, headers: dict[str, str], media_type: str) -> Response:
    asked, if_range = request.headers.get("range"), request.headers.get("if-range")
    try:
        part = part_of(content.size, asked=asked, if_range=if_range, etag=headers["etag"])
    except Unsatisfiable:
        return Response(status_code=416, headers=headers | {"content-range": f"bytes */{content.size}"})
    status = 200
    if part is None:
        part = Part(start=0, end=content.size, size=content.size)
    else:
        status, headers = 206, headers | {"content-range": part.content_range}
    headers |= {"content-length": str(part.length), "content-type": media_type}
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(_read(content, part), status_code=status, headers=headers)


async def _read(content: Content, part: Part) -> AsyncIterator[bytes]:
    async for chunk in content.chunks(part.start, part.end):
        yield chunk
