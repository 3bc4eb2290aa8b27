"""CoNLL-2003: a token a line, its tag last; an empty line ends a sentence, `-DOCSTART-` begins a document.

The text is not in the file. It is rebuilt by one rule: tokens are joined by a space, sentences by a line break. A file
with `-DOCSTART-` has a record a document, one without a record a sentence. Written tokens are what stands between white
space, cut where a span begins or ends; a text that the rule would not give back is reported, since it becomes another
sample when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import BinaryIO, Final

from relearn.labeling.v1.label_task_pb2 import Region
from relearn_formats import regions
from relearn_formats.holding import Holds, held
from relearn_formats.lines import lines
from relearn_formats.offsets import Offsets
from relearn_formats.records import Media, Options, Problem, Read, Record, Refused, Report

HOLDS: Final = Holds(kinds=frozenset({"span"}))
_START: Final = "-DOCSTART-"
_COLUMNS: Final = "-X- -X-"  # part of speech and chunk, which are not known
_WORD = re.compile(r"\S+")
_BEGINS: Final = frozenset("BSU")  # S and U are the single tokens of BIOES and BILOU
_ENDS: Final = frozenset("ELSU")
_PREFIXES: Final = frozenset("BIELSU")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """A span in code points."""

    start: int
    end: int
    label: str


@dataclass(slots=True)
class _Document:
    """What was read of a document, or of a sentence where the file has no documents."""

    line: int = 0
    sentences: list[list[tuple[str, str]]] = field(default_factory=lambda: [[]])
    problem: Problem | None = None

    def add(self, fields: Sequence[str], line: int) -> None:
        """One more token."""
        self.line = self.line or line
        if len(fields) == 1:
            message = f"a token without a tag: {fields[0][:40]!r}"
            self.problem = self.problem or Problem(place=f"line {line}", reason="NO_TAG", message=message)
        elif fields[-1] != "O" and (fields[-1][:1] not in _PREFIXES or fields[-1][1:2] != "-" or not fields[-1][2:]):
            message = f"no tag of BIO: {fields[-1][:40]!r}"
            self.problem = self.problem or Problem(place=f"line {line}", reason="NO_TAG", message=message)
        self.sentences[-1].append((fields[0], fields[-1]))

    def end_sentence(self) -> None:
        """What follows is another sentence."""
        if self.sentences[-1]:
            self.sentences.append([])

    def end(self) -> Read:
        """It as a record, if there is anything in it; its problem, where it has one: its text is not known."""
        if self.problem is not None:
            yield self.problem
        elif self.line:
            text, stretches = _rebuilt([sentence for sentence in self.sentences if sentence])
            offsets = Offsets(text)
            found = tuple(
                Region(
                    span=regions.span(offsets.to_code_units(one.start), offsets.to_code_units(one.end)),
                    label=one.label,
                    region_id=str(number),
                )
                for number, one in enumerate(stretches, start=1)
            )
            yield Record(sample="", regions=found, media=Media(text=text), place=f"line {self.line}")


def read(stream: BinaryIO, options: Options) -> Read:
    """Records of a file; a document with a line that is no token is a problem."""
    document, by_document = _Document(), False
    for number, line in lines(stream):
        if isinstance(line, Problem):
            document.problem = document.problem or line
            continue
        fields = line.split()
        if fields and fields[0] != _START:
            document.add(fields, number)
        elif by_document and not fields:
            document.end_sentence()
        else:
            by_document = by_document or bool(fields)
            yield from document.end()
            document = _Document()
    yield from document.end()


def write(records: Iterable[Record], stream: BinaryIO, options: Options, report: Report) -> None:
    """A document for each record."""
    for one in held(records, HOLDS, report):
        place = one.sample or one.place
        try:
            if one.media.text is None:
                raise Refused("NO_TEXT", "the format holds the text, which is not at hand")
            sentences = list(_sentences(one.media.text, _stretches(one)))
        except Refused as error:
            report(error.at(place))
            continue
        if "\n".join(" ".join(token for token, _ in sentence) for sentence in sentences) != one.media.text:
            message = "white space and cut words are not held: what is read again is another text"
            report(Problem(place=place, reason="TEXT_CHANGED", message=message, kept=True))
        stream.write(f"{_START} {_COLUMNS} O\n\n".encode())
        for sentence in sentences:
            stream.write("".join(f"{token} {_COLUMNS} {tag}\n" for token, tag in sentence).encode() + b"\n")


def _rebuilt(sentences: Sequence[Sequence[tuple[str, str]]]) -> tuple[str, list[_Stretch]]:
    """The text by the rule, and the spans that the tags tell."""
    texts: list[str] = []
    found: list[_Stretch] = []
    begins = 0
    for sentence in sentences:
        open_since: tuple[int, str] | None = None
        place = begins
        for token, tag in sentence:
            prefix, label = tag[:1], tag[2:]
            if tag == "O" or prefix in _BEGINS or open_since is None or open_since[1] != label:
                open_since = None if tag == "O" else (place, label)
            elif found:
                found.pop()  # it goes on, and is told again with its new end
            if open_since is not None:
                found.append(_Stretch(start=open_since[0], end=place + len(token), label=label))
            if prefix in _ENDS:
                open_since = None
            place += len(token) + 1
        texts.append(" ".join(token for token, _ in sentence))
        begins += len(texts[-1]) + 1
    return "\n".join(texts), found


def _stretches(record: Record) -> list[_Stretch]:
    """The record's spans in code points, in order, without white space at their ends."""
    text = record.media.text or ""
    offsets = Offsets(text)
    found: list[_Stretch] = []
    for region in record.regions:
        if not region.label or any(character.isspace() for character in region.label):
            raise Refused("CLASS_NAME", f"a tag can't hold the class {region.label!r}")
        start, end = offsets.to_code_points(region.span.start), offsets.to_code_points(region.span.end)
        said = text[start:end]
        start, end = start + len(said) - len(said.lstrip()), end - len(said) + len(said.rstrip())
        if start >= end:
            raise Refused("EMPTY_SPAN", "a span of nothing but white space")
        found.append(_Stretch(start=start, end=end, label=region.label))
    found.sort(key=lambda one: one.start)
    if any(first.end > second.start for first, second in pairwise(found)):
        raise Refused("OVERLAPPING_SPANS", "a token has one tag, and two spans share a place")
    return found


def _sentences(text: str, stretches: Sequence[_Stretch]) -> Iterator[list[tuple[str, str]]]:
    """Tokens with their tags. A line break ends a sentence, but not within a span."""
    sentence: list[tuple[str, str]] = []
    ended = within = 0  # where the token before ended, and how many spans have begun
    for start, end in _tokens(text, stretches):
        while within < len(stretches) and stretches[within].end <= start:
            within += 1
        span = stretches[within] if within < len(stretches) and stretches[within].start <= start else None
        goes_on = span is not None and span.start < start
        if "\n" in text[ended:start] and not goes_on and sentence:
            yield sentence
            sentence = []
        tag = "O" if span is None else f"{'I' if goes_on else 'B'}-{span.label}"
        sentence.append((text[start:end], tag))
        ended = end
    if not sentence:
        raise Refused("EMPTY_TEXT", "a text without a word")
    yield sentence


def _tokens(text: str, stretches: Sequence[_Stretch]) -> Iterator[tuple[int, int]]:
    cuts = sorted({place for one in stretches for place in (one.start, one.end)})
    upcoming = 0
    for word in _WORD.finditer(text):
        start = word.start()
        while upcoming < len(cuts) and cuts[upcoming] <= start:
            upcoming += 1
        while upcoming < len(cuts) and cuts[upcoming] < word.end():
            yield start, cuts[upcoming]
            start = cuts[upcoming]
            upcoming += 1
        yield start, word.end()
