"""The built page: files kept in memory, compressed once; any path without a suffix is the page itself.

A path is looked up in a table, never joined to a folder: nothing outside of the build can be reached.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

log = logging.getLogger(__name__)
INDEX = "/index.html"
# A page may load from its own origin only, and run nothing that is not a file of it. blob: is for what it draws itself.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
_PACKED = frozenset({".png", ".ico", ".woff2"})  # compressing them again gains nothing
_HASHED_FOLDER = "/assets/"  # where Vite puts files named by their content
_FOR_EVER, _ASK_AGAIN = "public, max-age=31536000, immutable", "no-cache"
_NOT_BUILT = "The page is not built yet: run `make page`, then load this again.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of the build."""

    content: bytes
    gzipped: bytes | None
    digest: str
    media_type: str
    cache_control: str


class Pages:
    """Serves the build in a folder, as it is now: it is read again when index.html, or what lies beside it, changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp: tuple[int, ...] = ()
        self._files: Mapping[str, File] = {}

    def answer(self, request: Request) -> Response:
        """The file of the path, or the page."""
        self._refresh()
        if not self._files:
            return PlainTextResponse(_NOT_BUILT, status_code=503)
        path = request.url.path
        found = self._files.get(path)
        if found is None and PurePosixPath(path).suffix not in _TYPES:  # a place in the page, such as /projects/fashion
            found = self._files[INDEX]
        if found is None:
            return PlainTextResponse("There is no such file.\n", status_code=404)
        return _answer(request, found)

    def _refresh(self) -> None:
        if (stamp := _stamp(self._folder)) != self._stamp:
            self._files = _read(self._folder) if stamp else {}
            self._stamp = stamp
            log.info("pages read", extra={"files": len(self._files)})


def _answer(request: Request, file: File) -> Response:
    packed = file.gzipped is not None and _takes_gzip(request.headers.get("accept-encoding", ""))
    headers = {
        "etag": f'"{file.digest}{"-gzip" if packed else ""}"',
        "cache-control": file.cache_control,
        "content-security-policy": POLICY,
        "vary": "accept-encoding",
    }
    known = request.headers.get("if-none-match", "").split(",")
    if headers["etag"] in {tag.strip().removeprefix("W/") for tag in known}:
        return Response(status_code=304, headers=headers)
    if packed:
        headers["content-encoding"] = "gzip"
    content = file.gzipped if packed else file.content
    return Response(content, media_type=file.media_type, headers=headers)


def _takes_gzip(accepted: str) -> bool:
    for one in accepted.lower().split(","):
        name, _, quality = one.partition(";")
        if name.strip() in ("gzip", "*"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _stamp(folder: Path) -> tuple[int, ...]:
    """Changes with the build; empty where there is none."""
    parts = (folder / INDEX.lstrip("/"), folder, folder / _HASHED_FOLDER.strip("/"))
    try:
        return tuple(part.stat().st_mtime_ns for part in parts)
    except OSError:
        return ()


def _read(folder: Path) -> dict[str, File]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix not in _TYPES or not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            continue
        content, name = path.read_bytes(), f"/{path.relative_to(folder).as_posix()}"
        found[name] = File(
            content=content,
            gzipped=None if path.suffix in _PACKED else gzip.compress(content, mtime=0),
            digest=hashlib.sha256(content).hexdigest()[:32],
            media_type=_TYPES[path.suffix],
            cache_control=_FOR_EVER if name.startswith(_HASHED_FOLDER) else _ASK_AGAIN,
        )
    return found
