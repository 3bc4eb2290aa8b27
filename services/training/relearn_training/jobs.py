"""What takes longer than an event may: conducting studies; and looking at the policy again when its time comes."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from relearn_runtime import NewId, Now, Store
from relearn_training.conducting import Conductor, Tools
from relearn_training.deciding import consider
from relearn_training.store import Transaction
from relearn_training.store.studies import LeaseLost

log = logging.getLogger(__name__)


async def conduct_study(tools: Tools, *, lease: timedelta) -> None:
    """Claim one running study that nobody works on and conduct it to its end.

    While it runs the lease is renewed; when that fails, for whatever reason, the children are killed before somebody
    else may start them again. A study that could not go on is released, and claimed again by the next pass.
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
    try:
        await asyncio.wait({work})  # not `await work`: its end by a lost lease must not look like our own
        if work.cancelled():
            return
        work.result()
    except LeaseLost:
        log.warning("study was taken over", extra={"study_id": study.id})
        return
    finally:
        work.cancel()
        keeper.cancel()
        await asyncio.gather(work, keeper, return_exceptions=True)
        await tools.children.rest()
        with suppress(Exception):  # without a database the lease runs out by itself
            async with tools.store.transaction() as tx:
                await tx.studies.release(study.id, owner)
    await asyncio.to_thread(shutil.rmtree, conductor.folder, ignore_errors=True)
    log.info("study ended", extra={"study_id": study.id, "project_id": study.project_id})


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
            project = await tx.projects.require(project_id)
            await consider(project, tx, new_id=new_id, now=now(), cause=None)
