"""Labels out of labeling, into a file of any format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc

from relearn.labeling.v1 import label_task_pb2
from relearn.labeling.v1 import management_service_pb2 as pb
from relearn_client import data, projects
from relearn_client.calls import Calls
from relearn_client.errors import InvalidInput
from relearn_client.imports import OnProgress
from relearn_client.label_files import known_format
from relearn_client.media_files import MediaFiles, info_of
from relearn_formats import Format, Media, Options, Problem, Record, Refused, Status, write

if TYPE_CHECKING:
    from relearn_media import MediaInfo

_DEADLINE_S: Final = 24 * 3600.0
_MOST_PROBLEMS: Final = 1000
_LOOKED_AT: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsExported:
    """What an export wrote.

    Attributes:
        tasks: that were told, with a label or without.
        cursor: where a later export goes on, so that it has only what changed since.
        problems: what the format could not hold, the first thousand.
        reasons: how often each reason, of all of them.
    """

    tasks: int
    cursor: str
    problems: tuple[Problem, ...]
    reasons: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class _Tally:
    tasks: int = 0
    cursor: str = ""
    problems: list[Problem] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def report(self, problem: Problem) -> None:
        self.reasons[problem.reason] += 1
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(problem)


def take(
    calls: Calls,
    project_id: str,
    path: Path,
    *,
    format: str,
    media: Path | None,
    finished_only: bool,
    answers: bool,
    since: str,
    on_progress: OnProgress | None,
) -> LabelsExported:
    """Writes the labels of a project into a file, as they come."""
    chosen = known_format(format)
    if answers and not chosen.holds.answers:
        step = "leave --answers out, or name a format that holds them: jsonl, csv, label-studio"
        raise InvalidInput(f"{format} holds one answer a sample", reason="ONE_ANSWER", next_step=step)
    tally = _Tally(cursor=since)
    naming = _Naming(calls=calls, project_id=project_id, files=MediaFiles(media), format=chosen)
    options = Options(
        classes=projects.get(calls, project_id).classes, size_of=naming.size_of, seconds_of=naming.seconds_of
    )
    asked = pb.ExportAnnotationsRequest(project_id=project_id, finished_only=finished_only, after=since)
    records = (
        record
        for task in _tasks(calls, asked, tally, on_progress)
        for record in _records(task, naming, answers=answers)
    )
    try:
        write(chosen, records, path, options, tally.report)
    except Refused as error:
        raise InvalidInput(error.message, reason=error.reason) from error
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}", reason="UNWRITABLE_FILE") from error
    return LabelsExported(
        tasks=tally.tasks,
        cursor=tally.cursor,
        problems=tuple(tally.problems),
        reasons=tuple(tally.reasons.most_common()),
    )


class _Naming:
    """What a sample is called in the file, and how large it is: by the files at hand, else by datasets."""

    def __init__(self, *, calls: Calls, project_id: str, files: MediaFiles, format: Format) -> None:
        self._calls, self._project_id, self._files, self._format = calls, project_id, files, format
        self._paths = files.by_digest()
        self._ids: dict[str, str] = {}  # of the name that was told last
        self._looked_at = lru_cache(_LOOKED_AT)(self._look)

    def name(self, sample_id: str) -> str:
        """A file's name where it is at hand; else its id, in formats for files its digest."""
        digest = sample_id.rpartition("/")[2]
        if (path := self._paths.get(digest)) is not None:
            name = self._files.name_of(path)
        else:
            name = sample_id if self._format.holds.answers else digest
        self._ids = {name: sample_id}
        return name

    def text(self, sample_id: str) -> str | None:
        """The text of a sample, where the format tells it."""
        if not self._format.needs_text:
            return None
        path = self._paths.get(sample_id.rpartition("/")[2])
        content = path.read_bytes() if path else data.sample(self._calls, sample_id).content
        try:
            return content.decode()
        except UnicodeDecodeError:
            return None

    def size_of(self, name: str) -> tuple[int, int] | None:
        """Width and height of the sample that was named last."""
        info = self._info(name)
        return (info.width, info.height) if info and info.width and info.height else None

    def seconds_of(self, name: str) -> float | None:
        """Its length."""
        info = self._info(name)
        return info.length_s if info else None

    def _info(self, name: str) -> MediaInfo | None:
        return self._looked_at(self._ids[name]) if name in self._ids else None

    def _look(self, sample_id: str) -> MediaInfo | None:
        path = self._paths.get(sample_id.rpartition("/")[2])
        return info_of(path if path else data.sample(self._calls, sample_id).content)


def _tasks(
    calls: Calls, asked: pb.ExportAnnotationsRequest, tally: _Tally, on_progress: OnProgress | None
) -> Iterator[pb.ExportedTask]:
    """All tasks; where the connection breaks, on a new one from the last place that was told."""
    total = None
    for answer in _messages(calls, asked):
        yield from answer.tasks
        total = answer.total if total is None else total
        tally.tasks += len(answer.tasks)
        tally.cursor = answer.cursor or tally.cursor
        if on_progress is not None:
            on_progress(tally.tasks, max(total, tally.tasks))


def _messages(calls: Calls, asked: pb.ExportAnnotationsRequest) -> Iterator[pb.ExportAnnotationsResponse]:
    metadata = (("authorization", f"Bearer {calls.access.bearer()}"),)

    def begin() -> tuple[Iterator[pb.ExportAnnotationsResponse], pb.ExportAnnotationsResponse | None]:
        stream = iter(calls.management.ExportAnnotations(asked, timeout=_DEADLINE_S, metadata=metadata))
        return stream, next(stream, None)

    while True:
        stream, answer = calls.patiently("labeling", begin, project_id=asked.project_id)
        while answer is not None:
            yield answer
            asked.after = answer.cursor
            try:
                answer = next(stream, None)
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise calls.explained("labeling", error, project_id=asked.project_id) from error
                break
        else:
            return


def _records(task: pb.ExportedTask, naming: _Naming, *, answers: bool) -> Iterator[Record]:
    """The label of a task, or the answers to it, or that there is none."""
    sample_id = task.label_task.sample_id
    known = Record(sample=naming.name(sample_id), status=Status.TASK, media=Media(text=naming.text(sample_id)))
    if answers and task.annotations:
        for one in task.annotations:
            yield _answer(known, one)
    elif not answers and task.HasField("label"):
        yield _label(known, task.label)
    else:
        yield known


def _answer(known: Record, annotation: label_task_pb2.Annotation) -> Record:
    return replace(
        known,
        status=Status.ANSWER,
        regions=tuple(annotation.regions),
        annotator=annotation.annotator,
        time_spent_s=annotation.time_spent.ToTimedelta().total_seconds() if annotation.HasField("time_spent") else None,
        create_time=annotation.create_time.ToJsonString(),
    )


def _label(known: Record, label: label_task_pb2.Label) -> Record:
    return replace(
        known,
        status=Status.LABEL,
        regions=tuple(label.regions),
        agreement=label.agreement,
        posterior=label.posterior if label.HasField("posterior") else None,
        time_spent_s=label.time_spent.ToTimedelta().total_seconds() if label.HasField("time_spent") else None,
        create_time=label.accept_time.ToJsonString(),
    )
