"""Kills processes of a local stack by process id, in the phases of the loop that a plan names."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path

from demo import Stack
from fashion_demo.timeline import EventFile, Happened

SERVICES = ("registry", "datasets", "labeling", "training", "control", "monitoring", "gateway")
SERVERS = ("kafka", "postgres")
ROUNDS = 2
GAP_S = (0.1, 1.0)  # between two kills of a phase
POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of the loop: its first event, and how many kills of a round of seven services it gets."""

    name: str
    begins: Callable[[Happened], bool]
    share: int


def _is(name: str, **wanted: str) -> Callable[[Happened], bool]:
    def begins(event: Happened) -> bool:
        values = event.message.get("route", {}) | event.message.get("study", {}) | event.message
        return event.name == name and wanted.items() <= values.items()

    return begins


PHASES = (
    Phase(name="import", begins=_is("ProjectApplied"), share=2),
    Phase(name="first study", begins=_is("StudyStarted"), share=3),
    Phase(name="labels", begins=_is("AlertOpened"), share=3),
    Phase(name="study", begins=_is("StudyStarted", trigger="TRIGGER_CONFIRMED_ALERT"), share=2),
    Phase(name="shadow", begins=_is("RouteChanged", phase="PHASE_SHADOW"), share=2),
    Phase(name="canary", begins=_is("RouteChanged", phase="PHASE_CANARY"), share=2),
)
END = _is("RouteChanged", outcome="OUTCOME_FINISHED")


def plan(names: Sequence[str], *, seed: int) -> dict[str, tuple[str, ...]]:
    """Victims by phase, in order: each name `ROUNDS` times, never twice in one phase or in two that follow.

    So each victim has had time to come back, and the kills are done before their phase is over.
    """
    generator = random.Random(seed)
    kills, whole = ROUNDS * len(names), sum(phase.share for phase in PHASES)
    ends = [round(kills * share / whole) for share in accumulate(phase.share for phase in PHASES)]
    slots = [next(number for number, end in enumerate(ends) if slot < end) for slot in range(kills)]
    while True:
        generator.shuffle(slots)
        drawn = [(slots[i :: len(names)], name) for i, name in enumerate(names)]  # phases of each name
        if all(max(phases) - min(phases) > 1 for phases, _ in drawn):
            return {
                phase.name: tuple(name for phases, name in drawn if number in phases)
                for number, phase in enumerate(PHASES)
            }


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """What was killed, in which phase, and when in seconds since the epoch."""

    name: str
    phase: str
    time: float


class Killer:
    """Carries out a plan while a demo runs; reads from the demo's file of events how far the loop is."""

    def __init__(self, folder: Path, *, stack: Stack, victims: Mapping[str, Sequence[str]], seed: int) -> None:
        self._stack, self._victims = stack, victims
        self._file, self._events = EventFile(folder / "events.jsonl"), list[Happened]()
        self._generator = random.Random(seed)
        self._stopped = threading.Event()
        self.killed: list[Kill] = []
        self._thread = threading.Thread(target=self._run, name="killer")

    def __enter__(self) -> "Killer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        for phase in PHASES:
            self._wait_for(partial(self._has_begun, phase))
            for name in self._victims[phase.name]:
                self._stopped.wait(self._generator.uniform(*GAP_S))
                self._wait_for(partial(self._kill, name, phase.name))

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        """Until the condition holds, or there is to be no more killing."""
        while not self._stopped.is_set() and not condition():
            self._stopped.wait(POLL_S)

    def _has_begun(self, phase: Phase) -> bool:
        self._events += self._file.read_new()
        return any(phase.begins(event) for event in self._events)

    def _kill(self, name: str, phase: str) -> bool:
        """Whether it ran and was killed."""
        pid = self._stack.pid(name)
        if pid is None:
            return False
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False  # it has just died by itself, and its supervisor has not noticed yet
        self.killed.append(Kill(name=name, phase=phase, time=time.time()))
        return True
