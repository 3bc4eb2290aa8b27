"""What people are asked about two versions that answered differently, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedDisagreement:
    """A disagreement that people are asked about."""

    flag_id: str
    champion_id: str
    challenger_id: str
    number: int
    sample_id: str
    champion_label: str
    challenger_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What people said of a sample: a label, or None when they could not agree.

    Attributes:
        revision: of its task; an older one never overwrites a newer.
    """

    revision: int
    label: str | None
    label_id: str
    event_id: str
