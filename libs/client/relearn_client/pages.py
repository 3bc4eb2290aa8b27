"""Lists that come in pages, as one iterator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

PAGE = 500


def every(page: Callable[[str], Any], elements: Callable[[Any], Any], *, limit: int | None = None) -> Iterator[Any]:
    """The elements of all pages, read as they are needed.

    Args:
        page: the response for a page token.
        elements: what is listed in a response.
        limit: stop after so many.
    """
    token, given = "", 0
    while True:
        response = page(token)
        for element in elements(response):
            if limit is not None and given >= limit:
                return
            yield element
            given += 1
        token = response.next_page_token
        if not token:
            return
