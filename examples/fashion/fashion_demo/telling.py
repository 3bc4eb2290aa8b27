"""Telling the story while it happens: a live view in a terminal, plain lines elsewhere."""

import sys
import time
from collections import deque
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

BARS = "▁▂▃▄▅▆▇█"


class Teller(Protocol):
    """How the story is told."""

    def step(self, text: str) -> None:
        """A new step of the story begins; the one before it is done."""

    def note(self, text: str) -> None:
        """Something happened within the step."""

    def progress(self, text: str) -> None:
        """How far the step is; may come often."""

    def accuracy(self, shares: list[float]) -> None:
        """Accuracy of the newest stretches of traffic, oldest first."""

    def close(self) -> None:
        """The story is over."""


def teller() -> Teller:
    """The one that suits the output."""
    return LiveTeller() if sys.stdout.isatty() else PlainTeller()


class PlainTeller:
    """One line a fact, with the seconds since the start; progress at most every 5 s."""

    def __init__(self) -> None:
        self._start, self._progress_at = time.monotonic(), 0.0

    def step(self, text: str) -> None:
        """See Teller."""
        self._line(f"• {text}")

    def note(self, text: str) -> None:
        """See Teller."""
        self._line(f"    {text}")

    def progress(self, text: str) -> None:
        """See Teller."""
        if time.monotonic() - self._progress_at >= 5:
            self._progress_at = time.monotonic()
            self._line(f"    … {text}")

    def accuracy(self, shares: list[float]) -> None:
        """Told by the progress lines already."""

    def close(self) -> None:
        """Nothing to close."""

    def _line(self, text: str) -> None:
        print(f"{time.monotonic() - self._start:6.1f} s  {text}", flush=True)


class LiveTeller:
    """Steps done above, the present step with its progress and the accuracy curve below."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._lines: deque[Text] = deque(maxlen=26)
        self._step, self._progress = "", ""
        self._shares: list[float] = []
        self._live = Live(console=Console(), get_renderable=self._view, refresh_per_second=8)
        self._live.start()

    def step(self, text: str) -> None:
        """See Teller."""
        if self._step:
            self._lines.append(Text.assemble(("✓ ", "green"), self._step))
        self._step, self._progress = text, ""

    def note(self, text: str) -> None:
        """See Teller."""
        self._lines.append(Text(f"    {text}", style="dim"))

    def progress(self, text: str) -> None:
        """See Teller."""
        self._progress = text

    def accuracy(self, shares: list[float]) -> None:
        """See Teller."""
        self._shares = shares[-60:]

    def close(self) -> None:
        """See Teller."""
        if self._step:
            self._lines.append(Text.assemble(("✓ ", "green"), self._step))
        self._step = ""
        self._live.stop()

    def _view(self) -> Panel:
        parts: list[Text | Table | Spinner] = list(self._lines)
        if self._step:
            parts.append(Spinner("dots", Text(f"{self._step}  {self._progress}", style="bold")))
        if self._shares:
            curve = "".join(BARS[min(7, int(share * 8))] for share in self._shares)
            parts.append(Text(f"accuracy  {curve}  {self._shares[-1]:.0%}", style="cyan"))
        elapsed_s = time.monotonic() - self._start
        return Panel(Group(*parts), title="Relearn", subtitle=f"{elapsed_s:.0f} s")
