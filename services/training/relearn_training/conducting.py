"""A study from its start to its winner, by whoever holds its lease.

What is done is written at once: prepared samples in the study's folder, finished runs in their rows and in object
storage. A successor therefore repeats at most the trials that were under way, under their old ids.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from relearn_media import Preprocessing
from relearn_runtime import NewId, Now, Store
from relearn_runtime.errors import NotFound
from relearn_training import metrics, wire
from relearn_training.children import Children, TaskFailed
from relearn_training.clients import Datasets, Objects
from relearn_training.domain import studies as moves
from relearn_training.domain.measurements import Measurement
from relearn_training.domain.pruning import hopeless
from relearn_training.domain.search import RECIPE, Space, space
from relearn_training.domain.studies import Result, Run, RunState, Study, StudyState
from relearn_training.learning.tasks import ExportTask, PrepareTask, TrialTask
from relearn_training.search import Tried, suggest
from relearn_training.store import Transaction

log = logging.getLogger(__name__)

_TRIAL_FILES = ("model.safetensors", "validation.parquet", "evaluation.json")


class Hopeless(Exception):
    """A trial is too far behind its siblings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What conducting a study needs."""

    store: Store[Transaction]
    datasets: Datasets
    objects: Objects
    children: Children
    work_dir: Path
    pack_timeout_s: float
    new_id: NewId
    now: Now


@dataclass(slots=True, kw_only=True)
class Conductor:
    """One study in the hands of one owner.

    Attributes:
        owner: name of the lease; every write checks that it still holds.
        progress: how far unfinished runs are, by run id; written with the lease.
    """

    tools: Tools
    study: Study
    owner: str
    progress: dict[str, float] = field(default_factory=dict)
    _under_way: set[str] = field(default_factory=set)
    _compared: dict[str, dict[float, float]] = field(default_factory=dict)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _champion: Run | None = None
    _champion_preprocessing: Preprocessing | None = None

    @property
    def folder(self) -> Path:
        """Scratch folder of the study."""
        return self.tools.work_dir / self.study.id

    async def conduct(self) -> None:
        """Prepare, try, export; ends with StudyFinished.

        Raises:
            TaskFailed: the samples cannot be prepared or the winner not exported, this time.
            RelearnError: a dependency is away, or the lease is lost.
        """
        search = self._space(await self._prepare())
        await self._try_side_by_side(search)
        async with self.tools.store.transaction() as tx:
            runs = await tx.studies.runs_of(self.study.id)
        best = moves.winner(runs)
        if best is None:
            await self._end(failure=moves.why_no_winner(runs))
        else:
            await self._end(winner=await self._exported(best))

    async def give_up(self, why: str) -> None:
        """End the study as failed; a trial that was under way fails with it."""
        async with self.tools.store.transaction() as tx:
            runs = await tx.studies.runs_of(self.study.id)
        for run in runs:
            if run.state is RunState.RUNNING:
                await self._ended(moves.fail(run, why, now=self.tools.now()))
        await self._end(failure=why)

    async def _prepare(self) -> int:
        """Fetch and decode the pack; how many labels are new to the champion."""
        plan, version = self.study.plan, self.study.dataset_version
        async with self.tools.store.transaction() as tx:
            self._champion = await tx.studies.run(plan.champion_run_id) if plan.champion_run_id else None
            kept = await tx.studies.preprocessing(plan.champion_run_id) if self._champion else None
        self._champion_preprocessing = self._continued(Preprocessing.from_dict(kept)) if kept else None
        if self._champion_preprocessing is not None and not await self._fetched_champion():
            self._champion = None
        result_path = self.folder / "prepared" / "prepared.json"
        if not result_path.exists():
            pack = await self.tools.datasets.pack(version.id, timeout_s=self.tools.pack_timeout_s)
            prefix = pack.prefix.rstrip("/")
            index, content = self.folder / "pack" / "index.parquet", self.folder / "pack" / "pack.bin"
            await self.tools.objects.fetch(f"{prefix}/index.parquet", index, sha256=pack.index_sha256)
            await self.tools.objects.fetch(f"{prefix}/pack.bin", content)
            task = PrepareTask(
                pack=content,
                index=index,
                output=self.folder / "prepared",
                classes=plan.classes,
                preprocessing=self._champion_preprocessing,
                size=plan.image_size,
                champion_version_n=plan.champion_version_n,
            )
            self._count(await self._done(task, "prepare.json"))
        prepared = await asyncio.to_thread(_read_prepared, result_path)
        async with self.tools.store.transaction() as tx:
            await tx.studies.prepared(self.study.id, self.owner, prepared["preprocessing"])
        return int(prepared["new_labels"])

    def _continued(self, preprocessing: Preprocessing) -> Preprocessing | None:
        """The champion's preprocessing, unless the project asks for another input size by now."""
        size = self.study.plan.image_size
        same = size in (None, (preprocessing.height, preprocessing.width, preprocessing.channels))
        return preprocessing if same else None

    async def _fetched_champion(self) -> bool:
        """Whether the champion's weights are at hand; without them every trial starts fresh."""
        if self._champion is None or self._champion.result is None:
            return False
        path = self.folder / "champion.safetensors"
        weights = next(file for file in self._champion.result.files if file.name == "model.safetensors")
        try:
            if not path.exists():
                await self.tools.objects.fetch(weights.key, path, sha256=weights.sha256)
        except NotFound as error:
            log.warning("champion's weights are gone", extra={"study_id": self.study.id, "error": str(error)})
            return False
        return True

    def _count(self, told: dict[str, Any]) -> None:
        """What preparing left out, for operators; every evaluation.json of the study names it too."""
        for reason, samples in told["left_out"].items():
            metrics.LEFT_OUT.labels(reason).inc(samples)
        if told["left_out"]:
            log.warning("samples left out", extra={"study_id": self.study.id, "left_out": told["left_out"]})

    def _space(self, new_labels: int) -> Space:
        champion = None
        if self._champion is not None and self._champion_preprocessing is not None:
            champion = (self._champion.parameters.family, self._champion.parameters.width)
        plan = self.study.plan
        return space(families=plan.families, champion=champion, new_share=plan.new_share, new_labels=new_labels)

    async def _try_side_by_side(self, search: Space) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.study.plan.trials_in_parallel, self.study.plan.trials)):
                    group.create_task(self._try_on(search))
        except ExceptionGroup as errors:  # one place lost its dependency, the other was cancelled for it
            raise errors.exceptions[0] from errors

    async def _try_on(self, search: Space) -> None:
        """Run trials until the study has had its own."""
        while True:
            async with self.tools.children.place():  # first, so that a run does not start before it can
                run = await self._next(search)
                if run is None:
                    return
                try:
                    await self._carry_out(run, search)
                finally:
                    self._under_way.discard(run.id)

    async def _next(self, search: Space) -> Run | None:
        """The next trial: one that a predecessor left unfinished, else a new one."""
        async with self._asking:
            async with self.tools.store.transaction() as tx:
                runs = await tx.studies.runs_of(self.study.id)
            left = [run for run in runs if run.state is RunState.RUNNING and run.id not in self._under_way]
            if left:
                run = replace(left[0], started_at=self.tools.now(), progress=0.0)
            else:
                trial = moves.next_trial(self.study.plan, runs, started_at=self.study.started_at, now=self.tools.now())
                if trial is None:
                    return None
                run = await self._asked(search, runs, trial)
            async with self.tools.store.transaction() as tx:
                await tx.studies.hold(self.study.id, self.owner)
                await (tx.studies.save_run(run) if left else tx.studies.add_run(run))
            self._under_way.add(run.id)
            return run

    async def _asked(self, search: Space, runs: list[Run], trial: int) -> Run:
        tried = [
            Tried(parameters=run.parameters, objective=run.result.objective if run.result else None) for run in runs
        ]
        parameters = await asyncio.to_thread(suggest, search, tried, trial=trial, seed=self.study.plan.seed)
        return Run(
            id=self.tools.new_id(),
            study_id=self.study.id,
            project_id=self.study.project_id,
            trial=trial,
            parameters=parameters,
            state=RunState.RUNNING,
            started_at=self.tools.now(),
        )

    async def _carry_out(self, run: Run, search: Space) -> None:
        """Train one model and write its one outcome."""
        plan = self.study.plan
        warm = search.starts_warm(run.parameters)
        task = TrialTask(
            run_id=run.id,
            recipe=RECIPE,
            parameters=run.parameters,
            seed=plan.seed + run.trial,
            epochs=plan.update_epochs if search.warm else plan.epochs,  # one schedule, so that trials are comparable
            dataset_version_id=self.study.dataset_version.id,
            prepared=self.folder / "prepared",
            output=self.folder / run.id,
            champion=self.folder / "champion.safetensors" if warm else None,
            champion_run_id=plan.champion_run_id if warm else "",
            champion_version_n=plan.champion_version_n,
            audits_since_n=plan.audits_since_n,
        )
        try:
            told = await self.tools.children.do(task, self.folder / f"{run.id}.json", on_progress=self._watch(run))
            files = await self.tools.objects.keep(run.id, [task.output / name for name in _TRIAL_FILES])
            ended = moves.finish(run, _result(told, files), now=self.tools.now())
        except Hopeless as error:
            ended = moves.prune(run, str(error), now=self.tools.now())
        except TaskFailed as error:
            ended = moves.fail(run, str(error), now=self.tools.now())
        await self._ended(ended)

    async def _ended(self, ended: Run) -> None:
        """Write the one outcome of a run, with its event."""
        self.progress.pop(ended.id, None)
        async with self.tools.store.transaction() as tx:
            await tx.studies.hold(self.study.id, self.owner)
            await tx.studies.save_run(ended)
            await tx.outbox.add(wire.run_ended(ended), causes=(self.study.started_event_id,))
        metrics.RUNS.labels(ended.parameters.family, ended.state.value).inc()
        metrics.RUN_S.labels(ended.parameters.family).observe(ended.duration_s)

    def _watch(self, run: Run) -> Callable[[dict[str, Any]], None]:
        def on_progress(told: dict[str, Any]) -> None:
            share = told["epoch"] / told["epochs"]
            self.progress[run.id] = min(0.99, share)
            objective = told["objective"]
            if objective is None:
                return
            key = round(share, 1)
            others = [values[key] for id, values in self._compared.items() if id != run.id and key in values]
            self._compared.setdefault(run.id, {})[key] = objective
            if hopeless(share=share, objective=objective, others=others):
                raise Hopeless(f"{objective:.3f} after {share:.0%} of its epochs, the best had {max(others):.3f}")

        return on_progress

    async def _done(self, task: PrepareTask | ExportTask, name: str) -> dict[str, Any]:
        async with self.tools.children.place():
            return await self.tools.children.do(task, self.folder / name, on_progress=_ignore)

    async def _exported(self, best: Run) -> Run:
        """The winner with all its files in object storage."""
        assert best.result is not None  # noqa: S101 - a winner has finished
        output = self.folder / best.id
        for file in best.result.files:
            if not (output / file.name).exists():
                await self.tools.objects.fetch(file.key, output / file.name, sha256=file.sha256)
        task = ExportTask(
            run_id=best.id,
            recipe=RECIPE,
            parameters=best.parameters,
            temperature=best.result.temperature,
            prepared=self.folder / "prepared",
            output=output,
        )
        told = await self._done(task, "export.json")
        files = await self.tools.objects.keep(best.id, [output / name for name in told["files"]])
        names = {file.name for file in files}
        kept = tuple(file for file in best.result.files if file.name not in names)
        return replace(best, result=replace(best.result, files=(*kept, *files)))

    async def _end(self, *, winner: Run | None = None, failure: str = "") -> None:
        now = self.tools.now()
        state = StudyState.FINISHED if winner is not None else StudyState.FAILED
        async with self.tools.store.transaction() as tx:
            await tx.situations.lock(self.study.project_id)
            held = await tx.studies.hold(self.study.id, self.owner)
            study = replace(held, state=state, ended_at=now, failure=failure[: moves.MOST_FAILURE])
            if winner is not None:
                await tx.studies.save_run(winner)
            await tx.studies.end(study)
            await tx.situations.reconsider(study.project_id, now)
            await tx.outbox.add(wire.study_finished(study, winner), causes=(study.started_event_id,))
        metrics.STUDIES.labels(study.trigger.value, state.value).inc()
        metrics.STUDY_S.observe((now - study.started_at) / timedelta(seconds=1))


def _result(told: dict[str, Any], files: tuple[moves.StoredFile, ...]) -> Result:
    return Result(
        objective=told["objective"],
        temperature=told["temperature"],
        measurements=tuple(Measurement.from_dict(one) for one in told["measurements"]),
        samples_per_second=told["samples_per_second"],
        code_digest=told["code_digest"],
        files=files,
    )


def _read_prepared(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def _ignore(_: dict[str, Any]) -> None:
    pass
