"""Tokens: one a person or service, made at first start. Services read only hashes of them.

`tokens.json` is what services read: {"tokens": [{"sha256": ..., "subject": ..., "role": ...}]}.
`secrets.json` holds the tokens of the services and of the person who started the stack; nobody else may read it.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

ROLES = ("annotator", "engineer", "service")  # those of relearn.auth.v1.Role


class UnknownRole(ValueError):
    """A role nobody checks for."""


def add(tokens_file: Path, *, subject: str, role: str) -> str:
    """A new token for a person or service; its hash joins the file, the token itself is only returned."""
    if role not in ROLES:
        raise UnknownRole(f"role must be one of {', '.join(ROLES)}, not {role!r}")
    token = secrets.token_urlsafe(32)
    entries = _read(tokens_file).get("tokens", [])
    entries.append({"sha256": sha256(token.encode()).hexdigest(), "subject": subject, "role": role})
    write_private(tokens_file, {"tokens": entries})
    return token


def write_private(path: Path, content: Mapping[str, object]) -> None:
    """As `write_private_text`, for JSON."""
    write_private_text(path, json.dumps(content, indent=1))


def write_private_text(path: Path, text: str) -> None:
    """Replaces a file in one step; only its owner may read it, from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def _read(path: Path) -> dict[str, list[dict[str, str]]]:
    content: dict[str, list[dict[str, str]]] = json.loads(path.read_text()) if path.exists() else {}
    return content
