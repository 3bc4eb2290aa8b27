"""Files of lines: each with its number, none larger than memory has room for; and JSON in each of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from relearn_formats.records import Problem, Refused

MOST_BYTES = 64 * 2**20
_BOM = b"\xef\xbb\xbf"


def lines(stream: BinaryIO) -> Iterator[tuple[int, str | Problem]]:
    """Lines without their ends, numbered from 1; one that is no UTF-8 or too long is a problem."""
    number = 0
    while line := stream.readline(MOST_BYTES + 1):
        number += 1
        if len(line) > MOST_BYTES:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MOST_BYTES)
            yield number, _problem(number, "LINE_TOO_LONG", f"a line of more than {MOST_BYTES // 2**20} MiB")
            continue
        if number == 1:
            line = line.removeprefix(_BOM)
        try:
            yield number, line.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            yield number, _problem(number, "NOT_UTF8", f"byte {error.start + 1} of the line is no UTF-8")


def json_lines(stream: BinaryIO) -> Iterator[tuple[str, Mapping[str, Any] | Problem]]:
    """The JSON object of each line that isn't empty, with the line for people."""
    for number, line in lines(stream):
        place = f"line {number}"
        if isinstance(line, Problem):
            yield place, line
        elif line.strip():
            try:
                yield place, json_object(line)
            except Refused as error:
                yield place, error.at(place)


def json_object(line: str) -> Mapping[str, Any]:
    """The JSON object of a line.

    Raises:
        Refused: it is none.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Refused("NOT_JSON", f"no JSON: {error}") from error
    if not isinstance(value, dict):
        raise Refused("NO_OBJECT", "a line of JSON that is no object")
    return value


def dump_line(value: Mapping[str, Any]) -> bytes:
    """An object as one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _problem(number: int, reason: str, message: str) -> Problem:
    return Problem(place=f"line {number}", reason=reason, message=message)
