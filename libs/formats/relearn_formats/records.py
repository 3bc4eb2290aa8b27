"""What a file of labels holds, whatever its format: records, and what could not be read or written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from relearn.labeling.v1.label_task_pb2 import Region


class Status(StrEnum):
    """What the regions of a record are."""

    TASK = "task"
    """Nothing: nobody has answered."""
    SUGGESTION = "suggestion"
    """What a model says."""
    ANSWER = "answer"
    """What one person says."""
    LABEL = "label"
    """What was accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """What a file says of a sample beside its name; None where it says nothing.

    Attributes:
        width: pixels of the upright picture or video.
        height: likewise.
        frames: of a video.
        duration_s: of sound or video.
        text: the whole text, where the file holds it.
    """

    width: int | None = None
    height: int | None = None
    frames: int | None = None
    duration_s: float | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One answer to one sample, or a sample that nobody has answered.

    Attributes:
        sample: a file's name or path, or a sample id, as the file says; empty where it holds the text itself.
        regions: in units of the media, as the contract says; none is an answer, too, unless the status is TASK.
        annotator: who gave it; for a suggestion the model's name; empty where it is not known.
        agreement: of a label: share of the answers that agree, 0..1.
        posterior: of a label: probability that it is right, 0..1.
        time_spent_s: seconds that it took.
        create_time: when it was given, ISO 8601.
        complete: False where a region of it could not be read; a `Problem` tells which.
        place: where it stands in the file, for people; no part of what it says.
    """

    sample: str
    regions: tuple[Region, ...] = ()
    status: Status = Status.ANSWER
    annotator: str = ""
    media: Media = Media()
    agreement: float | None = None
    posterior: float | None = None
    time_spent_s: float | None = None
    create_time: str = ""
    complete: bool = field(default=True, compare=False)
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What could not be read, or could not be written.

    Attributes:
        place: where in the file; for what was to be written the sample.
        reason: code, to count by.
        message: what is wrong, for people.
        kept: whether the record is there all the same, without what this tells of.
    """

    place: str
    reason: str
    message: str
    kept: bool = False


class Refused(Exception):
    """A region, a row or a record can't be read or written; readers and writers make a `Problem` of it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message

    def at(self, place: str, *, kept: bool = False) -> Problem:
        """It as a problem of a place."""
        return Problem(place=place, reason=self.reason, message=self.message, kept=kept)


Read: TypeAlias = Iterator[Record | Problem]
"""What a reader gives, in the order of the file."""

Report: TypeAlias = Callable[[Problem], None]
"""Is told what a writer left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a file does not say itself.

    Attributes:
        size_of: (width, height) in pixels of a sample that the file names; None where it is not known.
        seconds_of: the length of a sample, likewise.
        frames_per_second: of the videos whose files count in frames.
        classes: the project's classes in their order; writers number them so.
        default_class: the class of regions in formats that name none.
    """

    size_of: Callable[[str], tuple[int, int] | None] = lambda _: None
    seconds_of: Callable[[str], float | None] = lambda _: None
    frames_per_second: float | None = None
    classes: tuple[str, ...] = ()
    default_class: str = ""
