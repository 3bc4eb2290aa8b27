"""What happened, as the events tell it: followed from Kafka by a thread, kept for the report."""

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from relearn_client import Relearn

Message = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One event: `name` is the short type ("AlertOpened"), `time` in seconds since the epoch, `message` its protobuf
    JSON."""

    name: str
    event_id: str
    time: float
    causes: tuple[str, ...]
    message: Message


class EventFile:
    """What a timeline writes down, read while it goes on writing."""

    def __init__(self, path: Path) -> None:
        self._path, self._position = path, 0

    def read_new(self) -> list[Happened]:
        """Events of the complete lines that came since the last call; none while there is no file."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._position)
            text = file.read()
        complete = text[: text.rfind(b"\n") + 1]
        self._position += len(complete)
        found = map(json.loads, complete.splitlines())
        return [Happened(**values | {"causes": tuple(values["causes"])}) for values in found]


def happened_in(path: Path) -> tuple[Happened, ...]:
    """All events that a timeline has written down."""
    return tuple(EventFile(path).read_new())


class Timeline:
    """Follows all topics but predictions, from the beginning."""

    def __init__(self, relearn: Relearn, *, project: str, path: Path) -> None:
        self._relearn, self._project, self._path = relearn, project, path
        self._events: list[Happened] = []
        self._stopped = threading.Event()
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._follow, name="timeline", daemon=True)
        self._thread.start()

    @property
    def events(self) -> tuple[Happened, ...]:
        """All events so far, each once, in the order they came.

        Raises:
            RuntimeError: the events can't be followed any more.
        """
        if self._problem is not None:
            raise RuntimeError(f"the events cannot be followed any more: {self._problem!r}") from self._problem
        return tuple(self._events)

    def all(self, name: str, keep: Callable[[Happened], bool] = lambda _: True) -> list[Happened]:
        """Events of one name that `keep` wants, in the order they came."""
        return [event for event in self.events if event.name == name and keep(event)]

    def stop(self) -> None:
        """Stop following."""
        self._stopped.set()
        self._thread.join()

    def _follow(self) -> None:
        try:
            with self._path.open("w") as file:
                seen: set[str] = set()
                for event in self._relearn.events(project=self._project, stop=self._stopped):
                    happened = _happened(event)
                    if happened.event_id in seen:  # delivery is at least once, for us too
                        continue
                    seen.add(happened.event_id)
                    self._events.append(happened)
                    file.write(json.dumps(asdict(happened)) + "\n")
                    file.flush()
        except Exception as error:  # shown by the main thread, which asks next
            self._problem = error


def _happened(event: Any) -> Happened:
    time: datetime = event.time
    return Happened(
        name=event.type,
        event_id=event.id,
        time=time.timestamp(),
        causes=tuple(event.causes),
        message=event.message,
    )
