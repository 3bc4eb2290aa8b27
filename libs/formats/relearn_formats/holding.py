"""What a format can hold, so that a writer says what it leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from relearn_formats.records import Problem, Record, Refused, Report, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """What a format has a place for.

    Attributes:
        kinds: parts of a sample, by their names in the contract.
        attributes: what is true of a region beside its class.
        transcripts: what is said or written in a region.
        tasks: samples that nobody has answered.
        answers: who gave an answer, so that a sample may have several.
        suggestions: answers of a model, told apart from those of people.
    """

    kinds: frozenset[str]
    attributes: bool = False
    transcripts: bool = False
    tasks: bool = False
    answers: bool = False
    suggestions: bool = False


def held(records: Iterable[Record], holds: Holds, report: Report) -> Iterator[Record]:
    """The records that a format can hold; the others are reported, and so is what it leaves out of a region.

    A record with a part of a kind that the format lacks is left out whole: without it, the rest would say that there
    is nothing there.
    """
    for record in records:
        place = record.sample or record.place
        try:
            _refuse(record, holds)
        except Refused as error:
            report(error.at(place))
            continue
        for what, name in _lost(record, holds):
            message = f"the format holds no {what}s: {name} is left out"
            report(Problem(place=place, reason=f"NO_{what.upper()}S", message=message, kept=True))
        yield record


def check(record: Record) -> None:
    """Returns where a record names its sample.

    Raises:
        Refused: it has no name; it would be written so that nothing could find it again.
    """
    if not record.sample:
        raise Refused("NO_SAMPLE", "the record names no sample")


def _refuse(record: Record, holds: Holds) -> None:
    if record.status is Status.TASK and not holds.tasks:
        raise Refused("UNANSWERED", "the format holds answers only")
    if record.status is Status.SUGGESTION and not holds.suggestions:
        raise Refused("SUGGESTION", "the format can't tell a model's answer from a person's")
    for region in record.regions:
        kind = region.WhichOneof("part")
        if kind not in holds.kinds:
            name = f" ({region.region_id})" if region.region_id else ""
            raise Refused(f"NO_{(kind or 'region').upper()}", f"the format holds no {kind or 'such region'}{name}")


def _lost(record: Record, holds: Holds) -> list[tuple[str, str]]:
    lost: list[tuple[str, str]] = []
    for region in record.regions:
        if region.attributes and not holds.attributes:
            lost += [("attribute", one.name) for one in region.attributes]
        if region.transcript and not holds.transcripts:
            lost.append(("transcript", f"that of {region.label}"))
    return lost
