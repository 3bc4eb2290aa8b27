"""One trial from task to result: fit, judge, keep what the winner's export and the registry will need."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from relearn_training.domain.objective import Witnesses, witnesses
from relearn_training.domain.pruning import COMPARED_AT
from relearn_training.learning import batches
from relearn_training.learning.fitting import Schedule, fit
from relearn_training.learning.groups import groups_of, judged
from relearn_training.learning.inputs import answers, normaliser
from relearn_training.learning.prepared import Prepared
from relearn_training.learning.recipe import RECIPES
from relearn_training.learning.tasks import TrialTask
from relearn_training.learning.weights import load_weights

BATCH_SIZE = 64
UPDATE_BATCH_SIZE = 32  # a few hundred new labels are learned by steps, not by epochs (measured)
MIN_STEPS = 300  # a small project's epochs are short; below this nothing is learned


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Told after each epoch; `objective` is known at the epochs where trials are compared."""

    epoch: int
    epochs: int
    loss: float
    objective: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A finished trial, in memory.

    Attributes:
        rows: row numbers of the validation samples that are judged, disagreements excluded.
        logits, features: of the model on them, [v, k] and [v, f].
        groups: numbers of training samples: imported, earlier loop labels, new ones.
        steps: batches it has seen.
    """

    model: nn.Module
    witnesses: Witnesses
    rows: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float32]
    features: npt.NDArray[np.float32]
    curve: tuple[Progress, ...]
    groups: tuple[int, int, int]
    steps: int
    samples_per_second: float


def train(task: TrialTask, prepared: Prepared, *, tell: Callable[[Progress], None]) -> Trained:
    """Fit the model of a task; the same task and samples give the same weights.

    Raises:
        ValueError: nothing to train on or to judge by.
    """
    torch.manual_seed(task.seed)  # initial weights are the only thing drawn from the global generator
    recipe = RECIPES[task.recipe]
    model = recipe.build(task.parameters, channels=prepared.preprocessing.channels, classes=len(prepared.classes))
    if task.champion is not None:
        load_weights(model, task.champion.read_bytes())
    groups = groups_of(prepared.samples, champion_version_n=task.champion_version_n)
    batch_size = UPDATE_BATCH_SIZE if len(groups[2]) else BATCH_SIZE
    schedule = schedule_of(task, sum(len(group) for group in groups), batch_size=batch_size)
    rows = judged(prepared.samples)
    voices = witnesses(
        np.asarray(prepared.column("stream", rows), dtype=np.str_),
        np.asarray(prepared.column("probability", rows), dtype=np.float64),
        np.asarray(prepared.column("version_n", rows), dtype=np.int64),
        since=task.audits_since_n,
    )
    curve: list[Progress] = []
    compared = {math.ceil(schedule.epochs * share) for share in COMPARED_AT}

    def on_epoch(epoch: int, loss: float) -> None:
        objective = None
        if epoch in compared and epoch < schedule.epochs:
            logits, _ = answers(model, prepared.pixels, rows, prepared.preprocessing)
            objective = float(voices.weights @ (logits.argmax(axis=1) == prepared.labels[rows]))
        curve.append(Progress(epoch=epoch, epochs=schedule.epochs, loss=loss, objective=objective))
        tell(curve[-1])

    started = time.perf_counter()
    fit(
        model,
        recipe=recipe,
        pixels=prepared.pixels,
        labels=prepared.labels,
        batches=batches.batches(
            groups,
            weights=batches.shares(
                imported=len(groups[0]),
                earlier=len(groups[1]),
                new=len(groups[2]),
                share_new=task.parameters.new_share,
            ),
            batch_size=batch_size,
            steps=schedule.steps,
            generator=np.random.default_rng(task.seed),
        ),
        normalise=normaliser(prepared.preprocessing),
        schedule=schedule,
        generator=torch.Generator().manual_seed(task.seed),
        on_epoch=on_epoch,
    )
    seconds = time.perf_counter() - started
    logits, features = answers(model, prepared.pixels, rows, prepared.preprocessing)
    return Trained(
        model=model,
        witnesses=voices,
        rows=rows,
        logits=logits,
        features=features,
        curve=tuple(curve),
        groups=(len(groups[0]), len(groups[1]), len(groups[2])),
        steps=schedule.steps,
        samples_per_second=schedule.steps * batch_size / seconds,
    )


def schedule_of(task: TrialTask, samples: int, *, batch_size: int) -> Schedule:
    """Steps of a task over `samples` training samples: its epochs, but at least MIN_STEPS."""
    an_epoch = max(1, math.ceil(samples / batch_size))
    steps = max(MIN_STEPS, task.epochs * an_epoch)
    return Schedule(
        learning_rate=task.parameters.learning_rate, steps=steps, steps_per_epoch=math.ceil(steps / task.epochs)
    )
