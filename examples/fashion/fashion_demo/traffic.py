"""The product's answers as the story sees them."""

from collections.abc import Sequence

from fashion_demo.intervals import Share, share
from fashion_demo.product_log import Answer, ProductLog

STRETCH = 100  # answers in one point of the live curve


class Traffic:
    """All answers so far."""

    def __init__(self, log: ProductLog) -> None:
        self._log = log
        self.answers: list[Answer] = []

    def read(self) -> None:
        """Take in what the product wrote since the last call."""
        self.answers += self._log.read_new()

    def curve(self) -> list[float]:
        """Accuracy of each full stretch, oldest first."""
        rights = [answer.right for answer in self.answers]
        full = len(rights) // STRETCH * STRETCH
        return [sum(rights[i : i + STRETCH]) / STRETCH for i in range(0, full, STRETCH)]

    def accuracy(self, *, since: float, until: float) -> Share:
        """Accuracy of the answers in one stretch of time (seconds since the epoch)."""
        return share([a.right for a in self.answers if since <= a.time < until])

    def failed(self) -> Sequence[Answer]:
        """Requests that were not answered."""
        return [answer for answer in self.answers if answer.error]
