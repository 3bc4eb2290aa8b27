"""Tokens: the file holds only their SHA-256, who bears them, and in what role; it is read again when it changes."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path

from relearn_runtime.callers import Caller

ROLES = ("annotator", "reviewer", "manager", "engineer", "service")
log = logging.getLogger(__name__)


class TokenFileError(ValueError):
    """A tokens file that cannot be used; the message names it."""


class Tokens:
    """Who bears which token. File: `{"tokens": [{"sha256": "<hex>", "subject": "ada", "role": "engineer"}]}`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = _stamp(path)
        self._bearers = _read(path)

    def bearer(self, token: str) -> Caller | None:
        """Who bears a token, by the file as it is now."""
        self._refresh()
        # a dictionary of digests leaks no timing that helps: who can choose digests has inverted SHA-256
        return self._bearers.get(hashlib.sha256(token.encode()).hexdigest())

    def _refresh(self) -> None:
        try:
            if (stamp := _stamp(self._path)) != self._stamp:
                self._bearers, self._stamp = _read(self._path), stamp
                log.info("tokens read again", extra={"tokens": len(self._bearers)})
        except TokenFileError as error:
            self._stamp = _stamp(self._path)
            log.error("tokens file is broken, the last good one holds", extra={"error": str(error)})


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _read(path: Path) -> Mapping[str, Caller]:
    try:
        entries = json.loads(path.read_text())["tokens"]
        bearers = {str(e["sha256"]).lower(): Caller(subject=str(e["subject"]), role=str(e["role"])) for e in entries}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TokenFileError(f"tokens file {path} can't be read: {error!r}") from error
    if wrong := sorted({bearer.role for bearer in bearers.values()} - set(ROLES)):
        raise TokenFileError(f"tokens file {path} names unknown roles {wrong}; roles are {', '.join(ROLES)}")
    return bearers
