"""Reading what the product wrote, while it goes on writing."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One line of the product's log."""

    time: float
    number: int
    turned: bool
    picture: str
    sha256: str
    truth: str
    answer: str
    version: str
    prediction_id: str
    error: str

    @property
    def right(self) -> bool:
        """Whether the answer was the truth; a failed request is a wrong answer."""
        return self.answer == self.truth


class ProductLog:
    """Follows the log; `read_new` gives the lines that came since the last call."""

    def __init__(self, path: Path) -> None:
        self._path, self._position = path, 0

    def read_new(self) -> list[Answer]:
        """New complete lines, oldest first."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as log:
            log.seek(self._position)
            text = log.read()
        complete = text[: text.rfind(b"\n") + 1]
        self._position += len(complete)
        return [_answer(json.loads(line)) for line in complete.splitlines()]


def _answer(line: dict[str, Any]) -> Answer:
    return Answer(
        time=line["time"],
        number=line["number"],
        turned=line["turned"],
        picture=line["picture"],
        sha256=line["sha256"],
        truth=line["truth"],
        answer=line.get("answer", ""),
        version=line.get("version", ""),
        prediction_id=line.get("prediction_id", ""),
        error=line.get("error", ""),
    )
