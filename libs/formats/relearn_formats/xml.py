"""XML of others: element by element, with no entities and no document type, so that a small file stays small."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element, ParseError, tostring  # nothing is parsed by it

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from relearn_formats.records import Refused

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def elements(stream: BinaryIO, names: Collection[str]) -> Iterator[Element]:
    """The elements of these names, each whole, as they end; what was seen is forgotten.

    Elements of these names must not hold one another.

    Raises:
        Refused: the file is no XML, ends early, or declares a document type or entities.
    """
    depth = 0  # within an element that is wanted
    open_elements: list[Element] = []
    try:
        for event, element in iterparse(stream, events=("start", "end"), forbid_dtd=True):
            if event == "start":
                depth += element.tag in names
                open_elements.append(element)
                continue
            open_elements.pop()
            if element.tag in names:
                depth -= 1
                yield element
            if depth == 0 and open_elements:
                open_elements[-1].remove(element)
    except ParseError as error:
        raise Refused("NOT_XML", f"no well-formed XML: {error}") from error
    except DefusedXmlException as error:
        raise Refused("FORBIDDEN_XML", f"XML with a document type or entities is not read: {error}") from error


def text_of(element: Element, name: str) -> str:
    """The text of a child, empty without one."""
    return (element.findtext(name) or "").strip()


def told(element: Element) -> bytes:
    """An element as a document or a part of one.

    Raises:
        Refused: a text has a character that XML has no place for.
    """
    text = tostring(element, encoding="unicode").replace("\r", "&#13;")
    if found := _NOT_XML.search(text):
        raise Refused("NOT_XML", f"XML has no place for the character {found[0]!r}")
    return text.encode() + b"\n"
