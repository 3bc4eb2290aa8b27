"""One page of a diff: read from the commits in between, never from the versions themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator

from relearn.datasets.v1 import datasets_service_pb2 as pb
from relearn_datasets import wire
from relearn_datasets.domain.diffs import Fold, Range, Step, Totals
from relearn_datasets.store import Transaction
from relearn_runtime import paging
from relearn_runtime.errors import InvalidInput

_PAGE_BYTES = 8 * 2**20
"""Of regions; a page has one step at least, and the labels of one step fit into a message several times."""


async def diff_page(tx: Transaction, of: Range, *, size: int, page_token: str) -> pb.DiffResponse:
    """The changes after the page that `page_token` ended, and the totals.

    The first page reads every commit of the range, for the totals; they travel in the token, so that a later page
    stops reading where it ends.
    """
    listed = f"diff {of.project_id} {of.after} {of.upto} {of.backwards:d}"
    totals: Totals | None = None
    after: bytes | None = None
    if (place := paging.place(page_token, listed, str, int, int, int)) is not None:
        last, added, removed, relabeled = place
        totals = Totals(added=added, removed=removed, relabeled=relabeled)
        after = _sha256(last)
    shown, more_follow, counted = await _read(tx, of, after=after, size=size, to_the_end=totals is None)
    totals = totals or counted
    uses = await tx.samples.uses(of.project_id, [step.sha256 for step in shown])
    more = ""
    if more_follow:
        more = paging.token(listed, shown[-1].sha256.hex(), totals.added, totals.removed, totals.relabeled)
    return pb.DiffResponse(
        changes=[wire.label_change(of.project_id, step, uses.get(step.sha256)) for step in shown],
        next_page_token=more,
        added=totals.added,
        removed=totals.removed,
        relabeled=totals.relabeled,
    )


async def _read(
    tx: Transaction, of: Range, *, after: bytes | None, size: int, to_the_end: bool
) -> tuple[list[Step], bool, Totals]:
    """The steps of a page, whether others follow, and, read to the end, the totals."""
    page: list[Step] = []
    totals, held, full = Totals(), 0, False
    async for step in _net_steps(tx, of, after=after):
        totals = totals.count(step)
        held += step.size_bytes
        full = full or len(page) == size or (len(page) > 0 and held > _PAGE_BYTES)
        if not full:
            page.append(step)
        elif not to_the_end:
            break
    return page, full, totals


async def _net_steps(tx: Transaction, of: Range, *, after: bytes | None) -> AsyncIterator[Step]:
    fold = Fold(backwards=of.backwards)
    async for step in tx.commits.steps(of, after=after):
        if (done := fold.take(step)) is not None:
            yield done
    if (done := fold.end()) is not None:
        yield done


def _sha256(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise InvalidInput("page_token is no token of this list") from error
