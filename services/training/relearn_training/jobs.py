"""What takes longer than an event may: conducting studies; asking the policy again when its time comes; clearing up."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from relearn_runtime import NewId, Now, Store
from relearn_runtime.errors import RelearnError
from relearn_runtime.faults import is_away
from relearn_training.children import TaskFailed
from relearn_training.clients import DamagedObject, PackNotReady
from relearn_training.conducting import Conductor, Tools
from relearn_training.deciding import consider
from relearn_training.domain import studies as moves
from relearn_training.store import Transaction
from relearn_training.store.studies import LeaseLost

log = logging.getLogger(__name__)

TRIES = 3
_PAUSE = timedelta(seconds=2)  # after the first of them, then twice that


async def conduct_study(tools: Tools, *, lease: timedelta) -> None:
    """Claim one running study that nobody works on and conduct it as far as it goes.

    While it runs the lease is renewed; when that fails, for whatever reason, the children are killed before somebody
    else may start them again. A study that could not go on is released, and claimed again by a later pass.
    """
    owner = tools.new_id()
    async with tools.store.transaction() as tx:
        study = await tx.studies.claim(owner, now=tools.now(), lease=lease)
    if study is None:
        return
    log.info("study begins", extra={"study_id": study.id, "project_id": study.project_id})
    conductor = Conductor(tools=tools, study=study, owner=owner)
    work = asyncio.create_task(conductor.conduct(), name=f"study {study.id}")
    keeper = asyncio.create_task(_keep_lease(conductor, lease, lost=work.cancel), name=f"lease of {study.id}")
    pause = timedelta()
    async with tools.children.kept():
        try:
            await asyncio.wait({work})  # not `await work`: its end by a lost lease must not look like our own
            if not work.cancelled():
                pause = await _settle(conductor, work.exception())
        except LeaseLost:
            log.warning("study was taken over", extra={"study_id": study.id})
        finally:
            work.cancel()
            keeper.cancel()
            await asyncio.gather(work, keeper, return_exceptions=True)
            with suppress(Exception):  # without a database the lease runs out by itself
                async with tools.store.transaction() as tx:
                    await tx.studies.release(study.id, owner, until=tools.now() + pause)


async def _settle(conductor: Conductor, error: BaseException | None) -> timedelta:
    """End what has to end after one pass over a study; how long to wait before it is tried again, if it is.

    A dependency that is away costs a study nothing; one that is there and does not give the pack, its time budget.
    After anything else it is tried TRIES times in all, for a killed child or a full disk may not be met again.

    Raises:
        LeaseLost: somebody else settles it.
        DependencyUnavailable: and whatever else says that a dependency is away.
    """
    tools, study = conductor.tools, conductor.study
    said = {"study_id": study.id, "project_id": study.project_id}
    if error is None:
        await asyncio.to_thread(shutil.rmtree, conductor.folder, ignore_errors=True)
        log.info("study ended", extra=said)
        return timedelta()
    if isinstance(error, LeaseLost):
        raise error
    overdue = isinstance(error, PackNotReady | DamagedObject) and moves.overdue(study, now=tools.now())
    if is_away(error) and not overdue:
        raise error
    async with tools.store.transaction() as tx:
        tries = await tx.studies.tried(study.id, conductor.owner)
    why = str(error) if isinstance(error, TaskFailed | RelearnError) else repr(error)
    if tries < TRIES and not overdue:
        log.warning("study goes wrong, it is tried again", extra={**said, "why": why, "tries": tries}, exc_info=error)
        return tries * _PAUSE
    log.error("study is given up", extra={**said, "why": why}, exc_info=error)
    await conductor.give_up(why)
    return await _settle(conductor, None)


async def _keep_lease(conductor: Conductor, lease: timedelta, *, lost: Callable[[], object]) -> None:
    """Renew in time; where that fails until most of the lease is gone, or somebody else has it, `lost` is called."""
    tools, study = conductor.tools, conductor.study
    renewed = time.monotonic()
    while True:
        await asyncio.sleep(lease.total_seconds() / 5)
        left_s = renewed + 0.8 * lease.total_seconds() - time.monotonic()
        try:
            began = time.monotonic()
            async with asyncio.timeout(max(0.1, left_s)), tools.store.transaction() as tx:
                await tx.studies.renew(study.id, conductor.owner, now=tools.now(), lease=lease)
                await tx.studies.progressed(dict(conductor.progress))
            renewed = began
        except Exception as error:
            if left_s > 0 and not isinstance(error, LeaseLost):
                log.warning("lease not renewed yet", extra={"study_id": study.id, "error": repr(error)})
                continue
            log.exception("lease cannot be renewed, stopping", extra={"study_id": study.id})
            lost()
            return


async def reconsider(store: Store[Transaction], *, new_id: NewId, now: Now) -> None:
    """Ask the policy again for each project whose time has come: a cool-down ended, a pause, a study."""
    async with store.transaction() as tx:
        due = await tx.situations.due(now())
    for project_id in due:
        async with store.transaction() as tx:
            await consider(project_id, tx, new_id=new_id, now=now(), cause=None)


async def sweep(store: Store[Transaction], work_dir: Path) -> None:
    """Remove scratch folders of studies that have ended: a process may be killed between their end and its clearing."""
    folders = await asyncio.to_thread(_folders, work_dir)  # before the question: what starts after it is not in here
    async with store.transaction() as tx:
        running = set(await tx.studies.all_running())
    for folder in folders:
        if folder.name not in running:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            log.info("scratch folder of an ended study removed", extra={"study_id": folder.name})


def _folders(work_dir: Path) -> list[Path]:
    return [path for path in work_dir.iterdir() if path.is_dir()] if work_dir.is_dir() else []
