"""One thing at a time: what fails in a pass over many does not keep the others waiting."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from relearn_runtime.faults import is_away

log = logging.getLogger(__name__)


@contextmanager
def apart(what: str, **ids: str) -> Iterator[None]:
    """Logs an error of the block, which the next pass tries again; a dependency that is away ends this pass."""
    try:
        yield
    except Exception as error:
        if is_away(error):
            raise
        log.exception("one of a pass failed", extra={"what": what, **ids})
