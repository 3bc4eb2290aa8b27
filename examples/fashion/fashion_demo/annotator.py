"""A simulated annotator: a process of its own that answers through the public API.

    RELEARN_TOKEN=... python -m fashion_demo.annotator --project fashion --truth LOG --seed 1

It looks at the picture it is given, knows the truth from the product's log (as a person would by
looking), and is wrong now and then. It goes home when its standard input closes.
"""

import argparse
import hashlib
import random
import sys
import threading
import time
from pathlib import Path

from fashion_demo.product_log import ProductLog
from relearn_client import Relearn, RelearnError, WrongState

WRONG = 0.05  # share of wrong answers
GLANCE_S = (0.03, 0.09)  # a look at a picture takes this long; people take longer
IDLE_S = 0.1
TRUTH_S = 5.0  # so long the product may take to write down what it has sent


class Annotator:
    """Takes tasks and answers them."""

    def __init__(self, relearn: Relearn, *, project: str, truth_log: Path, seed: int) -> None:
        self._relearn, self._project = relearn, project
        self._log, self._truth = ProductLog(truth_log), dict[str, str]()
        self._generator = random.Random(seed)

    def work(self, going_home: threading.Event) -> None:
        """Answer tasks until it is time to go home."""
        while not going_home.is_set():
            if not self.answer_one():
                going_home.wait(IDLE_S)

    def answer_one(self) -> bool:
        """Answer one task; False when there is none."""
        task = self._relearn.next_task(self._project)
        if task is None:
            return False
        time.sleep(self._generator.uniform(*GLANCE_S))
        truth = self._true_label(hashlib.sha256(task.content).hexdigest())
        try:
            if truth is None:  # a picture that the product has not written down: somebody else's to answer
                self._relearn.release_task(task.label_task_id)
            else:
                self._relearn.submit(task.label_task_id, self._given(truth, task.classes))
        except WrongState:
            pass  # the lease ran out or the task was settled meanwhile: no answer is wanted
        return True

    def _given(self, truth: str, classes: tuple[str, ...]) -> str:
        if self._generator.random() >= WRONG:
            return truth
        return self._generator.choice([other for other in classes if other != truth])

    def _true_label(self, digest: str) -> str | None:
        give_up_at = time.monotonic() + TRUTH_S
        while True:
            self._truth |= {answer.sha256: answer.truth for answer in self._log.read_new()}
            if digest in self._truth or time.monotonic() > give_up_at:
                return self._truth.get(digest)
            time.sleep(IDLE_S)


def main() -> None:
    """The command line of the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", required=True)
    parser.add_argument("--truth", type=Path, required=True, help="the product's log")
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    going_home = threading.Event()

    def wait_for_the_bell() -> None:
        sys.stdin.read()
        going_home.set()

    threading.Thread(target=wait_for_the_bell, daemon=True).start()
    with Relearn() as relearn:
        annotator = Annotator(relearn, project=options.project, truth_log=options.truth, seed=options.seed)
        while not going_home.is_set():
            try:
                annotator.work(going_home)
            except RelearnError as error:  # a service is away for longer than a call waits: a person would try again
                print(error, flush=True)
                going_home.wait(1)


if __name__ == "__main__":
    main()
