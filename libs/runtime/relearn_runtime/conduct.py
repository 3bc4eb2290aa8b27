"""How this process fares with its events: what health and the retrier need to know."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

PARKED_IN_A_ROW = 20
"""So many events parked without one handled between them: the fault is here, not in the events."""


@dataclass(slots=True, kw_only=True)
class Conduct:
    """Counters of one process; mutable, used from its event loop only."""

    parked_in_a_row: int = 0
    waiting: bool = True
    handled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def healthy(self) -> bool:
        """False when events fail one after the other."""
        return self.parked_in_a_row < PARKED_IN_A_ROW

    def note_handled(self) -> None:
        """An event was handled: what waits may be possible now."""
        self.parked_in_a_row = 0
        if self.waiting:
            self.handled.set()

    def note_parked(self) -> None:
        """An event was given up."""
        self.parked_in_a_row += 1

    def note_waiting(self) -> None:
        """An event waits in the parked table."""
        self.waiting = True
        self.handled.set()
