"""Imports: a folder with one subfolder a class, or any samples; one stream, one commit, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import grpc

from relearn.datasets.v1 import datasets_service_pb2 as pb
from relearn_client import data
from relearn_client.calls import Calls, request_id
from relearn_client.errors import InvalidInput, RelearnError

DEADLINE_S = 1800.0
PICTURES = frozenset({".png", ".jpg", ".jpeg"})
MAX_SAMPLE_BYTES = 30 * 2**20  # what fits into one message

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
    """What an import did; `version` is None where nothing was new."""

    received: int
    added: int
    labeled: int
    relabeled: int
    version: data.DatasetVersion | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A file to import."""

    path: Path
    label: str


def folder(calls: Calls, project_id: str, path: Path, *, labeled: bool, on_progress: OnProgress | None) -> Imported:
    """Imports the pictures of a folder; what is there already is skipped, so that it can simply be run again."""
    pictures = labeled_pictures(path) if labeled else unlabeled_pictures(path)
    started = request_id()

    def attempt() -> Imported:  # files can be read again, so the stream can
        return _send(
            calls, project_id, (_read(one) for one in pictures), path.name, started, len(pictures), on_progress
        )

    try:
        return calls.patiently("datasets", attempt)
    except RelearnError as error:
        raise _naming_file(error, pictures) from error


def samples(
    calls: Calls, project_id: str, given: Iterable[NewSample], *, origin: str, on_progress: OnProgress | None
) -> Imported:
    """Imports samples from anywhere, in one pass over them."""
    total = len(given) if isinstance(given, Sequence) else None
    try:
        return _send(calls, project_id, given, origin, request_id(), total, on_progress)
    except grpc.RpcError as error:
        raise calls.explained("datasets", error) from error


def labeled_pictures(path: Path) -> list[Picture]:
    """The pictures of a folder with one subfolder a class, by name.

    Raises:
        InvalidInput: no such folder, no picture in it, or pictures outside of the subfolders.
    """
    loose = [one.name for one in _children(path) if one.is_file() and one.suffix.lower() in PICTURES]
    if loose:
        message = f"{path} has pictures that are in no subfolder ({loose[0]}, {len(loose)} in all): they have no class"
        step = "put them into subfolders named for their class, or import them with --unlabeled"
        raise InvalidInput(message, reason="NO_CLASS", next_step=step)
    found = [
        Picture(path=one, label=subfolder.name)
        for subfolder in _children(path)
        if subfolder.is_dir()
        for one in _pictures_below(subfolder)
    ]
    return _some(found, path, "put the pictures into one subfolder per class")


def unlabeled_pictures(path: Path) -> list[Picture]:
    """All pictures below a folder, by name.

    Raises:
        InvalidInput: no such folder, or no picture in it.
    """
    _children(path)
    return _some([Picture(path=one, label="") for one in _pictures_below(path)], path, "name a folder with pictures")


def _children(path: Path) -> list[Path]:
    if not path.is_dir():
        raise InvalidInput(f"{path} is no folder", reason="NO_FOLDER", next_step="name a folder with pictures")
    return sorted(one for one in path.iterdir() if not one.name.startswith("."))


def _pictures_below(path: Path) -> list[Path]:
    return sorted(one for one in path.rglob("*") if one.suffix.lower() in PICTURES and not _is_hidden(one, path))


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _some(found: list[Picture], path: Path, step: str) -> list[Picture]:
    if not found:
        raise InvalidInput(f"{path} has no PNG or JPEG picture", reason="EMPTY_IMPORT", next_step=step)
    return found


def _read(picture: Picture) -> NewSample:
    size = picture.path.stat().st_size
    if size > MAX_SAMPLE_BYTES:
        message = f"{picture.path} has {size / 2**20:.0f} MiB, at most {MAX_SAMPLE_BYTES / 2**20:.0f} are accepted"
        raise InvalidInput(message, reason="IMAGE_TOO_LARGE", next_step="make it smaller, then import again")
    return NewSample(content=picture.path.read_bytes(), label=picture.label)


def _send(
    calls: Calls,
    project_id: str,
    given: Iterable[NewSample],
    origin: str,
    started: str,
    total: int | None,
    on_progress: OnProgress | None,
) -> Imported:
    unsent: list[BaseException] = []

    def messages() -> Iterator[pb.ImportSamplesRequest]:
        """gRPC swallows what its request iterator raises; it is kept to be raised here."""
        try:
            header = pb.ImportHeader(project_id=project_id, origin=origin, request_id=started)
            yield pb.ImportSamplesRequest(header=header)
            for number, one in enumerate(given, start=1):
                part = pb.ImportSample(content=one.content, label=one.label, group_key=one.group_key)
                yield pb.ImportSamplesRequest(sample=part)
                if on_progress is not None:
                    on_progress(number, total)
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


def _naming_file(error: RelearnError, pictures: Sequence[Picture]) -> RelearnError:
    """The service knows a sample by its place in the stream; people know its file."""
    place = error.metadata.get("place", "")
    if not place.isdigit() or not 1 <= int(place) <= len(pictures):
        return error
    path = pictures[int(place) - 1].path
    return type(error)(
        f"{path}: {error.message}",
        code=error.code,
        reason=error.reason,
        next_step=error.next_step,
        metadata={**error.metadata, "path": str(path)},
    )
