"""Files of labels into labeling: records find their samples, the samples that datasets lacks are uploaded."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

from relearn.labeling.v1 import management_service_pb2 as pb
from relearn.labeling.v1.label_task_pb2 import Region
from relearn_client import data, imports, projects
from relearn_client.calls import Calls
from relearn_client.errors import InvalidInput, NotFound
from relearn_client.media_files import MediaFile, MediaFiles
from relearn_formats import FORMATS, Format, Options, Problem, Record, Status, read

_BATCH: Final = 500  # records in a message: one transaction there
_BATCH_BYTES: Final = 4 * 2**20
_MESSAGES: Final = 4  # in a call
_MOST_PROBLEMS: Final = 1000  # that are kept one by one; all of them are counted
_DEADLINE_S: Final = 600.0
_MOST_ID: Final = 64
_DIGEST = re.compile(r"[0-9a-f]{64}")

OnRecords: TypeAlias = Callable[[int], None]
"""Is told how many records were dealt with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsImported:
    """What an import of a file of labels did.

    Attributes:
        records: in the file, as far as it could be read.
        taken: by labeling, those that were there already included.
        repeated: that were there already.
        uploaded: samples that datasets lacked.
        problems: what was refused or left out, the first thousand.
        reasons: how often each reason, of all of them; `kept` ones are told too, though their record was taken.
    """

    records: int
    taken: int
    repeated: int
    uploaded: int
    problems: tuple[Problem, ...]
    reasons: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class _Tally:
    records: int = 0
    taken: int = 0
    repeated: int = 0
    uploaded: int = 0
    problems: list[Problem] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def report(self, problem: Problem) -> None:
        self.reasons[problem.reason] += 1
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A record with its sample; `content` is what to upload where datasets lacks it."""

    record: Record
    sample_id: str
    content: Callable[[], bytes] | None


def known_format(name: str) -> Format:
    """The format of a name.

    Raises:
        InvalidInput: there is none.
    """
    if name not in FORMATS:
        step = f"name one of {', '.join(FORMATS)}"
        raise InvalidInput(f"there is no format {name!r}", reason="UNKNOWN_FORMAT", next_step=step)
    return FORMATS[name]


def bring(
    calls: Calls,
    project_id: str,
    path: Path,
    *,
    format: str,
    media: Path | None,
    default_class: str,
    partial: bool,
    on_records: OnRecords | None,
) -> LabelsImported:
    """Imports a file of labels. What is there already is not imported again, so that it can simply be run again."""
    chosen = known_format(format)
    if not path.exists():
        raise InvalidInput(f"there is no file {path}", reason="NO_FILE")
    project = projects.get(calls, project_id)
    attributes = frozenset(one["name"] for one in project.content["label_set"].get("attributes", ()))
    files = MediaFiles(media)
    if not default_class and len(project.classes) == 1:
        default_class = project.classes[0]
    tally = _Tally()
    importing = _Importing(
        calls=calls,
        project_id=project_id,
        source=path.name,
        files=files,
        attributes=attributes,
        partial=partial,
        tally=tally,
        on_records=on_records,
    )
    options = Options(
        classes=project.classes,
        default_class=default_class,
        size_of=importing.size_of,
        seconds_of=importing.seconds_of,
    )
    importing.run(read(chosen, path, options))
    return LabelsImported(
        records=tally.records,
        taken=tally.taken,
        repeated=tally.repeated,
        uploaded=tally.uploaded,
        problems=tuple(tally.problems),
        reasons=tuple(tally.reasons.most_common()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Importing:
    calls: Calls
    project_id: str
    source: str
    files: MediaFiles
    attributes: frozenset[str]
    partial: bool
    tally: _Tally
    on_records: OnRecords | None

    def size_of(self, name: str) -> tuple[int, int] | None:
        """Of a file that is at hand."""
        found = self._file(name)
        info = found.info if found else None
        return (info.width, info.height) if info and info.width and info.height else None

    def seconds_of(self, name: str) -> float | None:
        """Of a file that is at hand."""
        found = self._file(name)
        return found.info.length_s if found and found.info else None

    def run(self, found: Iterable[Record | Problem]) -> None:
        """Sends all records, one call for some messages; the next are made ready meanwhile."""
        with ThreadPoolExecutor(max_workers=1) as sender:
            sending: Future[None] | None = None
            for messages in self._calls_to_make(self._records(found)):
                if sending is not None:
                    sending.result()
                sending = sender.submit(self._send, messages)
            if sending is not None:
                sending.result()

    def _send(self, messages: Sequence[pb.ImportAnnotationsRequest]) -> None:
        """One call; again where its connection breaks: what arrived is there already then, and says so."""
        metadata = (("authorization", f"Bearer {self.calls.access.bearer()}"),)

        def attempt() -> list[pb.ImportAnnotationsResponse]:
            stream = self.calls.management.ImportAnnotations(iter(messages), timeout=_DEADLINE_S, metadata=metadata)
            return list(stream)

        for answer in self.calls.patiently("labeling", attempt, project_id=self.project_id):
            self.tally.taken += answer.taken
            self.tally.repeated += answer.repeated_records
            for one in answer.refused:
                self.tally.report(Problem(place=one.place, reason=one.reason, message=one.message))
        if self.on_records is not None:
            self.on_records(self.tally.records)

    def _calls_to_make(self, found: Iterable[_Found]) -> Iterator[list[pb.ImportAnnotationsRequest]]:
        """Records as messages for one call each, their samples uploaded before."""
        records = iter(found)
        while chunk := list(islice(records, _BATCH * _MESSAGES)):
            refused = self._upload(chunk)
            messages = [pb.ImportAnnotationsRequest(project_id=self.project_id, source=self.source)]
            size = 0
            for one in chunk:
                if (error := refused.get(one.sample_id)) is not None:
                    problem = Problem(place=one.record.place, reason=error.reason, message=error.message)
                    self.tally.report(problem)
                    continue
                sample = self._annotated(one)
                length = sample.ByteSize()
                if len(messages[-1].samples) >= _BATCH or (size and size + length > _BATCH_BYTES):
                    messages.append(pb.ImportAnnotationsRequest())
                    size = 0
                messages[-1].samples.append(sample)
                size += length
            yield messages

    def _records(self, found: Iterable[Record | Problem]) -> Iterator[_Found]:
        """The records that have a sample; what is left out is told."""
        for one in found:
            if isinstance(one, Problem):
                self.tally.report(one)
                continue
            self.tally.records += 1
            problem = self._unfit(one)
            if problem is None:
                try:
                    resolved = self._resolved(one)
                except InvalidInput as error:
                    problem = Problem(place=one.place, reason=error.reason, message=error.message)
                else:
                    yield resolved
            if problem is not None:
                self.tally.report(problem)

    def _unfit(self, record: Record) -> Problem | None:
        if not record.complete and not self.partial:
            message = "a region of it could not be read, and without it the rest says something else"
            return Problem(place=record.place, reason="INCOMPLETE", message=message)
        if record.status is Status.SUGGESTION:
            message = "a model's answer is none of a person: suggestions are not imported"
            return Problem(place=record.place, reason="SUGGESTION", message=message)
        return None

    def _resolved(self, record: Record) -> _Found:
        """The record with its sample: named by its id, by its digest, by a file at hand, or by its own text.

        Raises:
            InvalidInput: nothing says which sample it is of.
        """
        if record.sample.startswith(f"{self.project_id}/sample/"):
            return _Found(record=record, sample_id=record.sample, content=None)
        if (found := self._file(record.sample)) is not None:
            return _Found(record=record, sample_id=self._id(found.sha256), content=found.path.read_bytes)
        if record.media.text is not None:
            content = record.media.text.encode()
            return _Found(
                record=record, sample_id=self._id(hashlib.sha256(content).hexdigest()), content=lambda: content
            )
        if _DIGEST.fullmatch(name := Path(record.sample).stem):
            return _Found(record=record, sample_id=self._id(name), content=None)
        raise InvalidInput(f"no file at hand is called {record.sample!r}", reason="NO_MEDIA")

    def _file(self, name: str) -> MediaFile | None:
        return self.files.find(name) if name else None

    def _id(self, sha256: str) -> str:
        return f"{self.project_id}/sample/{sha256}"

    def _upload(self, found: Sequence[_Found]) -> dict[str, InvalidInput]:
        """Puts samples that datasets lacks into it, unlabeled; those that it refuses, with what it says."""
        refused: dict[str, InvalidInput] = {}
        lacking: dict[str, Callable[[], bytes]] = {}
        for one in found:
            if one.content is not None and one.sample_id not in lacking and not self._is_there(one.sample_id):
                lacking[one.sample_id] = one.content
        if not lacking:
            return refused
        try:
            done = imports.unlabeled(self.calls, self.project_id, [*lacking.values()], origin=self.source)
            self.tally.uploaded += done.added
        except InvalidInput:  # of one of them, and nothing was kept: one by one each is told its own
            for sample_id, content in lacking.items():
                try:
                    self.tally.uploaded += imports.put(self.calls, self.project_id, content(), origin=self.source)
                except InvalidInput as error:
                    refused[sample_id] = error
        return refused

    def _is_there(self, sample_id: str) -> bool:
        try:
            data.describe(self.calls, sample_id)
        except NotFound:
            return False
        return True

    def _annotated(self, found: _Found) -> pb.AnnotatedSample:
        record = found.record
        message = pb.AnnotatedSample(sample_id=found.sample_id, place=record.place)
        if record.status is not Status.TASK:
            message.answer.regions.extend(self._named(record))
            message.answer.annotator = record.annotator
        message.key = hashlib.sha256(message.answer.SerializeToString(deterministic=True)).hexdigest()[:32]
        message.key = f"{found.sample_id.rpartition('/')[2][:32]}-{message.key}"
        return message

    def _named(self, record: Record) -> Iterator[Region]:
        """Its regions with a name each, and without the attributes that the label set does not ask for."""
        used: set[str] = set()
        for number, one in enumerate(record.regions, start=1):
            region = Region()
            region.CopyFrom(one)
            if region.HasField("whole"):
                region.region_id = ""
            elif not region.region_id or len(region.region_id) > _MOST_ID or region.region_id in used:
                region.region_id = f"imported-{number}"
            used.add(region.region_id)
            if unasked := [said for said in region.attributes if said.name not in self.attributes]:
                asked = [said for said in region.attributes if said.name in self.attributes]
                del region.attributes[:]
                region.attributes.extend(asked)
                names = ", ".join(sorted({said.name for said in unasked}))
                message = f"the label set has no such attribute, it is left out: {names}"
                self.tally.report(Problem(place=record.place, reason="UNKNOWN_ATTRIBUTE", message=message, kept=True))
            yield region
