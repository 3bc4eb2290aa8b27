"""The product's answers as the story sees them."""

from collections.abc import Collection, Sequence

from fashion_demo.intervals import Share, share
from fashion_demo.product_log import Answer, ProductLog

STRETCH = 100  # answers in one point of the live curve


class Traffic:
    """All answers so far."""

    def __init__(self, log: ProductLog) -> None:
        self._log = log
        self.answers: list[Answer] = []
        self.curve: list[float] = []  # accuracy of each full stretch, oldest first

    def read(self) -> None:
        """Take in what the product wrote since the last call."""
        self.answers += self._log.read_new()
        while len(self.answers) >= (len(self.curve) + 1) * STRETCH:
            start = len(self.curve) * STRETCH
            self.curve.append(sum(answer.right for answer in self.answers[start : start + STRETCH]) / STRETCH)

    def failed(self) -> Sequence[Answer]:
        """Requests that were not answered."""
        return [answer for answer in self.answers if answer.error]


def accuracy_by_picture(answers: Sequence[Answer], *, without: Collection[str] = ()) -> Share:
    """Accuracy over distinct pictures: each counts once, with the first answer about it.

    Traffic shows its pictures again and again, and answers about the same picture are not independent: counted
    singly, they would make the interval too narrow.

    Args:
        answers: of one stretch of time.
        without: names of pictures to leave out.
    """
    first: dict[str, bool] = {}
    for answer in answers:
        if answer.picture not in without:
            first.setdefault(answer.picture, answer.right)
    return share(list(first.values()))
