"""The child process of the service: `python -m relearn_training.worker` does one task after the other.

It alone imports torch, which takes seconds: hence it is kept for the next task. It reads paths of task files, a line
each, from standard input and answers with JSON lines on standard output: {"progress": ...} any number of times, then
{"result": ...} or {"error": ...}. The end of standard input means that nobody waits for results any more: it ends at
once, in the middle of a task too, and so never outlives the service. SIGINT and SIGTERM mean nothing to it: sent to the
whole process group, they would end its task before the service, which stops by closing standard input, knows why.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeAlias

from relearn_training.learning import tasks
from relearn_training.learning.tasks import ExportTask, PrepareTask, TrialTask

Tell: TypeAlias = Callable[[str, object], None]


def main() -> None:
    """Do tasks until standard input ends."""
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    paths: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_read, args=(paths,), daemon=True).start()
    # results travel on a private copy of standard output: a library that prints must not break the protocol
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell(kind: str, value: object) -> None:
        out.write(json.dumps({kind: value}) + "\n")

    while True:
        path = paths.get()
        try:
            result = _do(tasks.read(Path(path)), tell)
        except Exception as error:  # the parent decides what a failure means; the traceback is for its log
            traceback.print_exc()
            tell("error", f"{type(error).__name__}: {error}")
        else:
            tell("result", result)


def _read(paths: SimpleQueue[str]) -> None:
    for line in sys.stdin:
        paths.put(line.rstrip("\n"))
    os._exit(0)


def _do(task: tasks.Task, tell: Tell) -> dict[str, Any]:
    match task:
        case PrepareTask():
            return _prepare(task)
        case TrialTask():
            return _trial(task, tell)
        case ExportTask():
            return _export(task)


def _prepare(task: PrepareTask) -> dict[str, Any]:
    from relearn_training.learning.preparing import prepare

    return {"left_out": prepare(task).left_out}


def _trial(task: TrialTask, tell: Tell) -> dict[str, Any]:
    _one_thread()
    from relearn_training.learning import prepared
    from relearn_training.learning.evaluation import evaluate
    from relearn_training.learning.provenance import provenance
    from relearn_training.learning.trial import train
    from relearn_training.learning.weights import dump_weights

    samples = prepared.read(task.prepared)
    trained = train(task, samples, tell=lambda progress: tell("progress", asdict(progress)))
    evaluation = evaluate(trained, samples)
    task.output.mkdir(parents=True, exist_ok=True)
    (task.output / "model.safetensors").write_bytes(dump_weights(trained.model))
    (task.output / "validation.parquet").write_bytes(evaluation.answers)
    made_by = provenance(task, trained)
    details = evaluation.details | made_by
    (task.output / "evaluation.json").write_text(json.dumps(details, indent=1), encoding="utf-8")
    return {
        "objective": evaluation.objective,
        "temperature": evaluation.temperature,
        "measurements": [measurement.to_dict() for measurement in evaluation.measurements],
        "samples_per_second": trained.samples_per_second,
        "code_digest": made_by["code_digest"],
    }


def _export(task: ExportTask) -> dict[str, Any]:
    _one_thread()
    from relearn_training.learning import prepared
    from relearn_training.learning.winner import export

    weights = (task.output / "model.safetensors").read_bytes()
    files = export(task, prepared.read(task.prepared), weights=weights, temperature=task.temperature)
    for name, content in files.items():
        (task.output / name).write_bytes(content)
    return {"files": sorted(files)}


def _one_thread() -> None:
    """Two torch threads on two busy cores are 9 to 18 times slower than one (measured)."""
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


if __name__ == "__main__":
    main()
