"""Real child processes; most of the time on a task that fails fast: there is no pack."""

import asyncio
import os
import signal
from functools import partial

import numpy as np
import polars as pl
import psutil
import pytest
from training_world import children_of, kill

from relearn_media import Preprocessing
from relearn_runtime.testing import eventually
from relearn_training.children import Children, TaskFailed
from relearn_training.domain.search import RECIPE, Parameters
from relearn_training.learning import prepared
from relearn_training.learning.prepared import COLUMNS, Prepared
from relearn_training.learning.tasks import PrepareTask, TrialTask

made = partial(Children, places=1, niceness=0, timeout_s=60)


@pytest.fixture
async def children(monkeypatch):
    monkeypatch.setenv("TRAINING_TOKEN", "a secret")
    children = made()
    async with children.kept():
        yield children
    assert children_of(os.getpid()) == []


def ignore(_) -> None:
    pass


async def do(children: Children, task, folder, on_progress=ignore):
    async with children.place():
        return await children.do(task, folder / "task.json", on_progress=on_progress)


def failing(folder) -> PrepareTask:
    missing = folder / "missing"
    return PrepareTask(
        pack=missing,
        index=missing,
        output=folder,
        classes=("a", "b"),
        preprocessing=None,
        size=None,
        champion_version_n=0,
    )


def trial(folder) -> TrialTask:
    """Training on twenty pictures, dark or bright."""
    labels = np.arange(20) % 2
    room = prepared.room(folder / "prepared", samples=20, height=8, width=8, channels=1)
    room[:] = labels[:, None, None, None] * 200 + np.random.default_rng(0).integers(0, 50, room.shape)
    rows = [(f"p/sample/{i}", "train" if i < 12 else "validation", "imported", None, 1) for i in range(20)]
    samples = Prepared(
        pixels=room,
        labels=labels.astype(np.int64),
        samples=pl.DataFrame(rows, schema=COLUMNS, orient="row"),
        preprocessing=Preprocessing(height=8, width=8, channels=1, mean=(0.4,), std=(0.4,)),
        classes=("dark", "bright"),
        left_out={},
        new_labels=0,
    )
    prepared.write(folder / "prepared", samples)
    return TrialTask(
        run_id="run",
        recipe=RECIPE,
        parameters=Parameters(family="plain-cnn", width=8, learning_rate=0.006, new_share=0.0),
        seed=1,
        epochs=4,
        dataset_version_id="p/data/1",
        prepared=folder / "prepared",
        output=folder / "run",
        champion=None,
        champion_run_id="",
        champion_version_n=0,
        audits_since_n=0,
    )


async def test_a_task_that_fails_says_why_and_its_child_does_the_next_one(children, tmp_path):
    pids = []
    for _ in range(2):
        with pytest.raises(TaskFailed, match="FileNotFoundError"):
            await do(children, failing(tmp_path), tmp_path)
        pids += [child.pid for child in children_of(os.getpid())]

    assert len(pids) == 2
    assert len(set(pids)) == 1


async def test_a_killed_child_is_a_failed_task_told_in_its_own_words_and_a_new_one_takes_its_place(children, tmp_path):
    with pytest.raises(TaskFailed, match="FileNotFoundError"):
        await do(children, failing(tmp_path), tmp_path)
    (first,) = children_of(os.getpid())
    kill(first)

    with pytest.raises(TaskFailed, match="ended with -9: it said nothing"):  # not the words about the task before
        await do(children, failing(tmp_path), tmp_path)
    with pytest.raises(TaskFailed, match="FileNotFoundError"):
        await do(children, failing(tmp_path), tmp_path)


async def test_signals_to_the_whole_process_group_leave_a_child_at_its_work(children, tmp_path):
    with pytest.raises(TaskFailed, match="FileNotFoundError"):
        await do(children, failing(tmp_path), tmp_path)
    (child,) = children_of(os.getpid())

    for sent in (signal.SIGINT, signal.SIGTERM):
        os.kill(child.pid, sent)

    with pytest.raises(TaskFailed, match="FileNotFoundError"):
        await do(children, failing(tmp_path), tmp_path)
    assert children_of(os.getpid()) == [child]


async def test_cancelling_a_task_leaves_no_child(children, tmp_path):
    doing = asyncio.create_task(do(children, failing(tmp_path), tmp_path))
    await eventually(lambda: children_of(os.getpid()))

    doing.cancel()

    with pytest.raises(asyncio.CancelledError):
        await doing
    assert children_of(os.getpid()) == []


async def test_a_task_that_takes_too_long_fails_and_leaves_no_child(tmp_path):
    hasty = made(timeout_s=0.01)

    with pytest.raises(TaskFailed, match=r"took longer than 0\.01 s"):
        await do(hasty, failing(tmp_path), tmp_path)

    assert children_of(os.getpid()) == []


async def test_idle_children_stay_as_long_as_somebody_may_use_them(children, tmp_path):
    with pytest.raises(TaskFailed):
        await do(children, failing(tmp_path), tmp_path)

    async with children.kept():
        pass

    assert len(children_of(os.getpid())) == 1


async def test_a_child_knows_none_of_our_secrets(children, tmp_path):
    with pytest.raises(TaskFailed):
        await do(children, failing(tmp_path), tmp_path)

    (child,) = children_of(os.getpid())
    environment = psutil.Process(child.pid).environ()

    assert not [name for name in environment if name.startswith("TRAINING_")]
    assert environment["OMP_NUM_THREADS"] == "1"


async def test_what_progress_raises_stops_the_task_and_its_child(children, tmp_path):
    def stop(told) -> None:
        raise KeyError(told["epoch"])

    with pytest.raises(KeyError, match="1"):
        await do(children, trial(tmp_path), tmp_path, on_progress=stop)

    assert children_of(os.getpid()) == []


async def test_the_same_task_gives_the_same_files_in_another_process(tmp_path):
    task, found = trial(tmp_path), []
    for _ in range(2):
        children = made()
        async with children.kept():
            await do(children, task, tmp_path)
        found.append({path.name: path.read_bytes() for path in task.output.iterdir()})

    assert sorted(found[0]) == ["evaluation.json", "model.safetensors", "validation.parquet"]
    assert found[0] == found[1]
