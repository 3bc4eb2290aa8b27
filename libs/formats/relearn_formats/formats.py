"""The formats by name, and files of them: what the command lists, reads and writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from relearn_formats import asr, coco, conll, cvat, folders, jsonl, label_studio, table, voc, yolo
from relearn_formats.folders import Folder
from relearn_formats.holding import Holds
from relearn_formats.records import Options, Problem, Read, Record, Refused, Report

FileReader: TypeAlias = Callable[[BinaryIO, Options], Read]
FileWriter: TypeAlias = Callable[[Iterable[Record], BinaryIO, Options, Report], None]
FolderReader: TypeAlias = Callable[[Folder, Options], Read]
FolderWriter: TypeAlias = Callable[[Iterable[Record], Folder, Options, Report], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One way to keep labels.

    Attributes:
        name: what the command calls it.
        about: one line for people.
        holds: what it has a place for.
        needs_size: whether its numbers mean nothing without the size of the media.
        needs_text: whether spans are told with the text.
        files: how one file of it is read and written; None for a folder of many.
        folder: how a folder of files, or a ZIP archive of one, is read and written.
    """

    name: str
    about: str
    holds: Holds
    files: tuple[FileReader, FileWriter] | None = None
    folder: tuple[FolderReader, FolderWriter] | None = None
    needs_size: bool = False
    needs_text: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of files."""
        return self.folder is not None


FORMATS: Final = {
    one.name: one
    for one in (
        Format(
            name="jsonl",
            about="Relearn's own: one JSON object a line, holds everything",
            holds=table.HOLDS,
            files=(jsonl.read, jsonl.write),
        ),
        Format(
            name="label-studio",
            about="Label Studio's JSON: tasks, annotations, predictions",
            holds=label_studio.HOLDS,
            files=(label_studio.read, label_studio.write),
            needs_size=True,
            needs_text=True,
        ),
        Format(
            name="coco",
            about="COCO instances: boxes and outlines of pictures",
            holds=coco.HOLDS,
            files=(coco.read, coco.write),
            needs_size=True,
        ),
        Format(
            name="yolo",
            about="YOLO detection: a folder or ZIP with a text file a picture; outlines are read, too",
            holds=yolo.DETECTION,
            folder=(yolo.read, yolo.write_detection),
            needs_size=True,
        ),
        Format(
            name="yolo-segmentation",
            about="YOLO segmentation: the same with outlines",
            holds=yolo.SEGMENTATION,
            folder=(yolo.read, yolo.write_segmentation),
            needs_size=True,
        ),
        Format(
            name="voc",
            about="Pascal VOC: a folder or ZIP with an XML file a picture",
            holds=voc.HOLDS,
            folder=(voc.read, voc.write),
            needs_size=True,
        ),
        Format(
            name="cvat",
            about="CVAT's XML 1.1: pictures, or the tracks of one video",
            holds=cvat.HOLDS,
            files=(cvat.read, cvat.write),
            needs_size=True,
        ),
        Format(
            name="conll",
            about="CoNLL-2003: spans of texts as tagged tokens",
            holds=conll.HOLDS,
            files=(conll.read, conll.write),
            needs_text=True,
        ),
        Format(
            name="asr",
            about="ASR manifest: JSON lines with sound files and what is said in them",
            holds=asr.HOLDS,
            files=(asr.read, asr.write),
        ),
        Format(
            name="csv",
            about="CSV: a row a region; `sample,label` is enough for classes",
            holds=table.HOLDS,
            files=(table.read, table.write),
        ),
    )
}


def read(format: Format, path: Path, options: Options) -> Read:
    """The records of a file or folder; where nothing can be made of it, one problem."""
    try:
        if format.folder is not None:
            with folders.reading(path) as folder:
                yield from format.folder[0](folder, options)
        elif format.files is not None:
            with path.open("rb") as stream:
                yield from format.files[0](stream, options)
    except Refused as error:
        yield error.at(path.name)
    except OSError as error:
        yield Problem(place=path.name, reason="UNREADABLE", message=error.strerror or str(error))


def write(format: Format, records: Iterable[Record], path: Path, options: Options, report: Report) -> None:
    """Writes records; a file is under its name only when it is whole.

    Raises:
        Refused: a folder with something in it.
        OSError: no place to write.
    """
    if format.folder is not None:
        with folders.writing(path) as folder:
            format.folder[1](records, folder, options, report)
    elif format.files is not None:
        unfinished = path.with_name(f".{path.name}.unfinished")
        try:
            with unfinished.open("wb") as stream:
                format.files[1](records, stream, options, report)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
