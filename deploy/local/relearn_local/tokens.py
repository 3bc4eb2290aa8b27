"""Tokens: one a person or service, made at first start. Services read only hashes of them.

`tokens.json` is what services read: {"tokens": [{"sha256": ..., "subject": ..., "role": ...}]}.
`secrets.json` holds the tokens of the services and of the person who started the stack; nobody else may read it.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

ROLES = ("annotator", "reviewer", "manager", "engineer", "service")  # those of relearn.auth.v1.Role
LABELING_ROLES = ("annotator", "reviewer", "manager")  # those of people who answer label tasks
PRIVATE = 0o600
_NAME = re.compile(r"\w[\w.@+-]{0,63}")  # letters of any script


class UnknownRole(ValueError):
    """A role nobody checks for."""


class BadName(ValueError):
    """A name that a person can't have: not of that form, somebody else's, or nobody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who answers label tasks."""

    name: str
    role: str


def add(tokens_file: Path, *, subject: str, role: str) -> str:
    """A new token for a person or service; its hash joins the file, the token itself is only returned."""
    _check_role(role, ROLES)
    with _alone(tokens_file):
        return _append(tokens_file, subject=subject, role=role)


def add_person(tokens_file: Path, *, name: str, role: str) -> str:
    """The one token of somebody who answers label tasks; as `add`, but nobody else has this name.

    Raises:
        UnknownRole, BadName.
    """
    _check_role(role, LABELING_ROLES)
    name = unicodedata.normalize("NFC", name)
    if not _NAME.fullmatch(name):
        raise BadName(f"a name has 1 to 64 letters, digits and . _ @ + -, and begins with none of these; not {name!r}")
    with _alone(tokens_file):
        for entry in _entries(tokens_file):
            if entry["subject"].casefold() == name.casefold():
                raise BadName(f"{entry['subject']} ({entry['role']}) has this name already; take another one")
        return _append(tokens_file, subject=name, role=role)


def people(tokens_file: Path) -> list[Person]:
    """Everybody who answers label tasks, by name."""
    found = {
        Person(name=entry["subject"], role=entry["role"])
        for entry in _entries(tokens_file)
        if entry["role"] in LABELING_ROLES
    }
    return sorted(found, key=lambda person: (person.name.casefold(), person.role))


def remove_person(tokens_file: Path, *, name: str) -> None:
    """Makes the token of somebody who answers label tasks worth nothing.

    Raises:
        BadName: nobody of those is called so.
    """
    name = unicodedata.normalize("NFC", name)
    with _alone(tokens_file):
        entries = _entries(tokens_file)
        left = [entry for entry in entries if entry["subject"] != name or entry["role"] not in LABELING_ROLES]
        if len(left) == len(entries):
            raise BadName(f"nobody who answers label tasks is called {name!r}")
        _write(tokens_file, left)


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


def _check_role(role: str, allowed: tuple[str, ...]) -> None:
    if role not in allowed:
        raise UnknownRole(f"role must be one of {', '.join(allowed)}, not {role!r}")


def _append(tokens_file: Path, *, subject: str, role: str) -> str:
    token = secrets.token_urlsafe(32)
    entry = {"sha256": sha256(token.encode()).hexdigest(), "subject": subject, "role": role}
    _write(tokens_file, [*_entries(tokens_file), entry])
    return token


def _write(tokens_file: Path, entries: list[dict[str, str]]) -> None:
    mode = tokens_file.stat().st_mode & 0o777 if tokens_file.exists() else PRIVATE
    write_private(tokens_file, {"tokens": entries}, mode=mode)


def _entries(path: Path) -> list[dict[str, str]]:
    content: dict[str, list[dict[str, str]]] = json.loads(path.read_text()) if path.exists() else {}
    return content.get("tokens", [])
