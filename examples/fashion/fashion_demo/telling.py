"""Telling the story while it happens: a live view in a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

BARS = "▁▂▃▄▅▆▇█"
CURVE = 60  # stretches of traffic in the live curve


class Teller(Protocol):
    """How the story is told."""

    def step(self, text: str) -> None:
        """A new step of the story begins; the one before it is done."""

    def note(self, text: str) -> None:
        """Something happened within the step."""

    def progress(self, text: str) -> None:
        """How far the step is; may come often."""

    def accuracy(self, shares: Sequence[float]) -> None:
        """Accuracy of the stretches of traffic so far, oldest first."""

    def done(self) -> None:
        """The last step is done, and the story over."""

    def failed(self) -> None:
        """The story ends here: the present step did not happen."""


def teller() -> Teller:
    """The one that suits the output."""
    return LiveTeller(Console()) if sys.stdout.isatty() else PlainTeller()


class PlainTeller:
    """One line a fact, with the seconds since the start; progress at most every 5 s."""

    def __init__(self) -> None:
        self._start, self._progress_at = time.monotonic(), 0.0
        self._step = ""

    def step(self, text: str) -> None:
        """See Teller."""
        self._step = text
        self._line(f"• {text}")

    def note(self, text: str) -> None:
        """See Teller."""
        self._line(f"    {text}")

    def progress(self, text: str) -> None:
        """See Teller."""
        if time.monotonic() - self._progress_at >= 5:
            self._progress_at = time.monotonic()
            self._line(f"    … {text}")

    def accuracy(self, shares: Sequence[float]) -> None:
        """A curve is for terminals."""

    def done(self) -> None:
        """The last line says it all."""

    def failed(self) -> None:
        """See Teller."""
        self._line(f"✗ {self._step}")

    def _line(self, text: str) -> None:
        print(f"{time.monotonic() - self._start:6.1f} s  {text}", flush=True)


class LiveTeller:
    """What is done scrolls up and stays; the present step, its progress and the accuracy move below it.

    Only these few lines are redrawn, so that they fit into any terminal and the whole story can be read afterwards.
    """

    def __init__(self, console: Console) -> None:
        self._start = time.monotonic()
        self._step, self._progress = "", ""
        self._shares: Sequence[float] = ()
        self._spinner = Spinner("dots")
        self._live = Live(console=console, get_renderable=self._view, refresh_per_second=8, transient=True)
        self._live.start()

    def step(self, text: str) -> None:
        """See Teller."""
        self._tick()
        self._step, self._progress = text, ""

    def note(self, text: str) -> None:
        """See Teller."""
        self._live.console.print(Text(f"    {text}", style="dim"))

    def progress(self, text: str) -> None:
        """See Teller."""
        self._progress = text

    def accuracy(self, shares: Sequence[float]) -> None:
        """See Teller."""
        self._shares = shares[-CURVE:]

    def done(self) -> None:
        """See Teller."""
        self._tick()
        self._step = ""
        self._live.stop()

    def failed(self) -> None:
        """See Teller."""
        self._live.console.print(Text.assemble(("✗ ", "red"), self._step))
        self._step = ""
        self._live.stop()

    def _tick(self) -> None:
        if self._step:
            self._live.console.print(Text.assemble(("✓ ", "green"), self._step))

    def _view(self) -> Group:
        elapsed_s = time.monotonic() - self._start
        parts: list[Text | Spinner] = []
        if self._step:
            self._spinner.update(text=Text(f"{self._step}  {elapsed_s:.0f} s", style="bold"))
            parts += [self._spinner, Text(f"  {self._progress}", no_wrap=True, overflow="ellipsis")]
        if self._shares:
            curve = "".join(BARS[min(len(BARS) - 1, int(share * len(BARS)))] for share in self._shares)
            parts.append(Text(f"  accuracy  {curve}  {self._shares[-1]:.0%}", style="cyan", no_wrap=True))
        return Group(*parts)
