"""A simulated annotator: a process of its own that answers through the public API.

    RELEARN_TOKEN=... python -m fashion_demo.annotator --project fashion --truth LOG --seed 1

It looks at the picture it is given, knows the truth from the product's log (as a person would by
looking), and is wrong now and then.
"""

import argparse
import hashlib
import random
import signal
import time
from pathlib import Path

from fashion_demo.product_log import ProductLog
from relearn_client import Relearn, RelearnError

WRONG = 0.05  # share of wrong answers
GLANCE_S = (0.03, 0.09)  # a look at a picture takes this long; people take longer
IDLE_S = 0.5


def annotate(relearn: Relearn, *, project: str, truth_log: Path, seed: int) -> None:
    """Answer tasks until the process is stopped."""
    generator = random.Random(seed)
    log, truth = ProductLog(truth_log), dict[str, str]()
    while True:
        task = relearn.next_task(project)
        if task is None:
            time.sleep(IDLE_S)
            continue
        time.sleep(generator.uniform(*GLANCE_S))
        digest = hashlib.sha256(task.content).hexdigest()
        truth |= {answer.sha256: answer.truth for answer in log.read_new()}
        if digest not in truth:  # the product has not written its line yet
            time.sleep(IDLE_S)
            truth |= {answer.sha256: answer.truth for answer in log.read_new()}
        label = truth[digest]
        if generator.random() < WRONG:
            label = generator.choice([other for other in task.classes if other != label])
        try:
            relearn.submit(task.label_task_id, label)
        except RelearnError as error:
            if error.reason not in ("LEASE_EXPIRED", "TASK_CLOSED", "TASK_NOT_ASSIGNED"):
                raise


def main() -> None:
    """The command line of the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", required=True)
    parser.add_argument("--truth", type=Path, required=True, help="the product's log")
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: exit(0))
    with Relearn() as relearn:
        annotate(relearn, project=options.project, truth_log=options.truth, seed=options.seed)


if __name__ == "__main__":
    main()
