"""Tokens: one a person or service, made at first start. Services read only hashes of them.

`tokens.json` is what services read: {"tokens": [{"sha256": ..., "subject": ..., "role": ...}]}.
`secrets.json` holds the tokens of the services and of the person who started the stack; nobody else may read it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

ROLES = ("annotator", "reviewer", "manager", "engineer", "service")  # those of relearn.auth.v1.Role
PRIVATE = 0o600


class UnknownRole(ValueError):
    """A role nobody checks for."""


def add(tokens_file: Path, *, subject: str, role: str) -> str:
    """A new token for a person or service; its hash joins the file, the token itself is only returned."""
    if role not in ROLES:
        raise UnknownRole(f"role must be one of {', '.join(ROLES)}, not {role!r}")
    token = secrets.token_urlsafe(32)
    entry = {"sha256": sha256(token.encode()).hexdigest(), "subject": subject, "role": role}
    with _alone(tokens_file):
        mode = tokens_file.stat().st_mode & 0o777 if tokens_file.exists() else PRIVATE
        write_private(tokens_file, {"tokens": [*_read(tokens_file).get("tokens", []), entry]}, mode=mode)
    return token


def write_private(path: Path, content: Mapping[str, object], *, mode: int = PRIVATE) -> None:
    """As `write_private_text`, for JSON."""
    write_private_text(path, json.dumps(content, indent=1), mode=mode)


def write_private_text(path: Path, text: str, *, mode: int = PRIVATE) -> None:
    """Replaces a file in one step; only its owner may read it, from its first byte on, unless `mode` says otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.chmod(mode)
    fresh.replace(path)


@contextmanager
def _alone(tokens_file: Path) -> Iterator[None]:
    """One change at a time. The folder is what is locked, for the file is replaced."""
    tokens_file.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(tokens_file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _read(path: Path) -> dict[str, list[dict[str, str]]]:
    content: dict[str, list[dict[str, str]]] = json.loads(path.read_text()) if path.exists() else {}
    return content
