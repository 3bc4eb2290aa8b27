"""Imports: a folder with one subfolder a class, or any samples; one stream, one commit, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import grpc

from relearn.datasets.v1 import datasets_service_pb2 as pb
from relearn_client import data, projects
from relearn_client.calls import Calls, request_id
from relearn_client.errors import InvalidInput, RelearnError

DEADLINE_S = 1800.0
SUFFIXES: Mapping[str, frozenset[str]] = {
    "image": frozenset({".png", ".jpg", ".jpeg"}),
    "text": frozenset({".txt", ".text", ".md"}),
    "audio": frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".weba"}),
    "video": frozenset({".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".ogv"}),
}
"""Files of a folder that are sent, by the project's input kind; what they are, datasets finds in their bytes."""
MAX_SAMPLE_BYTES = 30 * 2**20  # what datasets takes in; of pictures and texts less

OnProgress: TypeAlias = Callable[[int, int | None], None]
"""Is told how many samples were sent, and of how many (None where that is not known)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSample:
    """A sample to import: encoded bytes, class (empty: unlabeled), and the key of the group it shares a use with."""

    content: bytes
    label: str = ""
    group_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did; `version` is None where nothing was new.

    `skipped` are the files of a folder that are not named like samples of the project: they were not sent.
    """

    received: int
    added: int
    labeled: int
    relabeled: int
    version: data.DatasetVersion | None
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFile:
    """A file to import."""

    path: Path
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The samples of a folder by name, and the paths of files that are none."""

    files: tuple[SampleFile, ...]
    skipped: tuple[str, ...]


@dataclass(slots=True)
class _Stream:
    """The samples of an import and how many of them were taken by gRPC, which does so once it is connected."""

    project_id: str
    origin: str
    request_id: str
    total: int | None
    on_progress: OnProgress | None
    taken: int = 0


def folder(calls: Calls, project_id: str, path: Path, *, labeled: bool, on_progress: OnProgress | None) -> Imported:
    """Imports the samples of a folder; what is there already is skipped, so that it can simply be run again."""
    input_kind = str(projects.get(calls, project_id).content["input_kind"])
    found = labeled_files(path, input_kind) if labeled else unlabeled_files(path, input_kind)
    _require_project(calls, project_id)
    stream = _Stream(project_id, path.resolve().name or str(path), request_id(), len(found.files), on_progress)

    def attempt() -> Imported:  # files can be read again, so the stream can
        return _send(calls, stream, (_read(one) for one in found.files))

    try:
        done = calls.patiently("datasets", attempt, project_id=project_id, moved=lambda: stream.taken > 0)
    except RelearnError as error:
        raise _naming_file(error, found.files) from error
    return replace(done, skipped=found.skipped)


def samples(
    calls: Calls, project_id: str, given: Iterable[NewSample], *, origin: str, on_progress: OnProgress | None
) -> Imported:
    """Imports samples from anywhere, in one pass over them."""
    _require_project(calls, project_id)
    total = len(given) if isinstance(given, Sequence) else None
    try:
        return _send(calls, _Stream(project_id, origin, request_id(), total, on_progress), given)
    except grpc.RpcError as error:
        raise calls.explained("datasets", error, project_id=project_id) from error


def unlabeled(calls: Calls, project_id: str, contents: Sequence[Callable[[], bytes]], *, origin: str) -> Imported:
    """Imports samples without labels, each read when its turn comes, and again where a connection breaks."""
    stream = _Stream(project_id, origin, request_id(), len(contents), None)

    def attempt() -> Imported:
        return _send(calls, stream, (NewSample(content=content()) for content in contents))

    return calls.patiently("datasets", attempt, project_id=project_id, moved=lambda: stream.taken > 0)


def put(calls: Calls, project_id: str, content: bytes, *, origin: str) -> bool:
    """Puts one sample in without a label; whether it is new."""
    part = _part(NewSample(content=content), 1)  # refuses what is too large for a message
    request = pb.PutSampleRequest(
        project_id=project_id, content=part.content, origin=f"import:{origin}", request_id=request_id()
    )
    return calls.ask("datasets", calls.datasets.PutSample, request).added


def labeled_files(path: Path, input_kind: str) -> Found:
    """The samples of a folder with one subfolder a class.

    Raises:
        InvalidInput: no such folder, no sample in it, or samples outside of the subfolders.
    """
    entries = _children(path)
    loose = [one.name for one in entries if _is_sample(one, input_kind)]
    if loose:
        message = f"{path} has files that are in no subfolder ({loose[0]}, {len(loose)} in all): they have no class"
        step = "put them into subfolders named for their class, or import them with --unlabeled"
        raise InvalidInput(message, reason="NO_CLASS", next_step=step)
    files = [
        SampleFile(path=one, label=subfolder.name)
        for subfolder in entries
        if subfolder.is_dir()
        for one in _files_below(subfolder)
        if _is_sample(one, input_kind)
    ]
    return _found(files, path, input_kind, "put the files into one subfolder per class")


def unlabeled_files(path: Path, input_kind: str) -> Found:
    """All samples below a folder.

    Raises:
        InvalidInput: no such folder, or no sample in it.
    """
    _children(path)
    files = [SampleFile(path=one, label="") for one in _files_below(path) if _is_sample(one, input_kind)]
    return _found(files, path, input_kind, "name a folder with samples")


def _require_project(calls: Calls, project_id: str) -> None:
    """Returns when datasets has heard of the project: samples may come from where they can be read only once."""
    calls.ask("datasets", calls.datasets.ListVersions, pb.ListVersionsRequest(project_id=project_id, page_size=1))


def _children(path: Path) -> list[Path]:
    if not path.is_dir():
        raise InvalidInput(f"{path} is no folder", reason="NO_FOLDER", next_step="name a folder with samples")
    return sorted(one for one in path.iterdir() if not one.name.startswith("."))


def _files_below(path: Path) -> list[Path]:
    return sorted(one for one in path.rglob("*") if not one.is_dir() and not _is_hidden(one, path))


def _is_sample(path: Path, input_kind: str) -> bool:
    return path.suffix.lower() in SUFFIXES[input_kind] and path.is_file()


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _found(files: list[SampleFile], path: Path, input_kind: str, step: str) -> Found:
    if not files:
        endings = ", ".join(sorted(SUFFIXES[input_kind]))
        raise InvalidInput(f"{path} has no file that ends in {endings}", reason="EMPTY_IMPORT", next_step=step)
    skipped = tuple(str(one.relative_to(path)) for one in _files_below(path) if not _is_sample(one, input_kind))
    return Found(files=tuple(files), skipped=skipped)


def _read(sample: SampleFile) -> NewSample:
    try:
        with sample.path.open("rb") as file:
            content = file.read(MAX_SAMPLE_BYTES + 1)  # one byte too many is enough to refuse it
    except OSError as error:
        step = "make it readable or remove it, then import again"
        raise InvalidInput(f"{sample.path}: {error.strerror}", reason="UNREADABLE_FILE", next_step=step) from error
    return NewSample(content=content, label=sample.label)


def _send(calls: Calls, stream: _Stream, given: Iterable[NewSample]) -> Imported:
    stream.taken = 0
    unsent: list[BaseException] = []

    def messages() -> Iterator[pb.ImportSamplesRequest]:
        """gRPC swallows what its request iterator raises; it is kept to be raised here."""
        try:
            yield pb.ImportSamplesRequest(header=_header(stream))
            for number, one in enumerate(given, start=1):
                yield pb.ImportSamplesRequest(sample=_part(one, number))
                stream.taken = number
                if stream.on_progress is not None:
                    stream.on_progress(number, stream.total)
        except BaseException as error:
            unsent.append(error)
            raise

    metadata = (("authorization", f"Bearer {calls.access.bearer()}"),)
    try:
        response = calls.datasets.ImportSamples(messages(), timeout=DEADLINE_S, metadata=metadata)
    except grpc.RpcError:
        if unsent and not isinstance(unsent[0], GeneratorExit):
            raise unsent[0] from None
        raise
    return Imported(
        received=response.received,
        added=response.added,
        labeled=response.labeled,
        relabeled=response.relabeled,
        version=data.version(response.dataset_version) if response.HasField("dataset_version") else None,
    )


def _header(stream: _Stream) -> pb.ImportHeader:
    """With the number of samples where it is known, so that a stream that was cut short is refused."""
    header = pb.ImportHeader(project_id=stream.project_id, origin=stream.origin, request_id=stream.request_id)
    if stream.total is not None:
        header.samples = stream.total
    return header


def _part(sample: NewSample, number: int) -> pb.ImportSample:
    if len(sample.content) > MAX_SAMPLE_BYTES:
        raise InvalidInput(
            f"sample {number} has more than {MAX_SAMPLE_BYTES // 2**20} MiB",
            reason="SAMPLE_TOO_LARGE",
            next_step="make it smaller, then import again",
            metadata={"place": str(number)},
        )
    return pb.ImportSample(content=sample.content, label=sample.label, group_key=sample.group_key)


def _naming_file(error: RelearnError, files: Sequence[SampleFile]) -> RelearnError:
    """The service knows a sample by its place in the stream; people know its file."""
    place = error.metadata.get("place", "")
    if not place.isdigit() or not 1 <= int(place) <= len(files):
        return error
    path = files[int(place) - 1].path
    return type(error)(
        f"{path}: {error.message}",
        code=error.code,
        reason=error.reason,
        next_step=error.next_step,
        metadata={**error.metadata, "path": str(path)},
    )
