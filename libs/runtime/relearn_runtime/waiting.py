"""What a stage of the loop waits for: the answer to *why did nothing happen?*"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One line of GetWaiting.

    Attributes:
        stage: in the glossary's words: "label budget", "training policy", "gate step 2".
        waits_for: with numbers: "143 of 200 new train labels".
        needs_person: nothing but a person can move it on.
        progress: how far it is, 0 to 1; None when that cannot be told.
    """

    stage: str
    waits_for: str
    needs_person: bool = False
    progress: float | None = None
