"""How right labels are, by the way from answers to labels: `python bench/labeling/quality.py [--tasks N]`.

Ten simulated annotators of mixed skill answer tasks of ten classes, whose confusions are those of Fashion-MNIST: five
good ones (right in 90 of 100), three mediocre ones (75), one who clicks at random, and one who is careful (90) but
takes coats for pullovers and pullovers for coats. Tasks go through labeling's own rules (`consensus`, and what is
learned of annotators anew after every 200 tasks), so that the beginning, when nobody is known, is in the figures. No
server, no network.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from relearn_labeling.domain.consensus import Consensus, consensus
from relearn_labeling.domain.crowds import learn
from relearn_labeling.domain.regions import LabelSet, Region, Whole
from relearn_labeling.domain.tasks import Annotation, Policy, Truth
from relearn_labeling.domain.truth.skills import Crowd, Unit

CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
# what each is taken for, by how often, where an error isn't any class at random; as models and people confuse them
TAKEN_FOR = {
    "t-shirt": "shirt shirt shirt shirt dress pullover",
    "trouser": "dress dress coat",
    "pullover": "coat coat coat shirt shirt t-shirt",
    "dress": "t-shirt shirt coat coat trouser",
    "coat": "pullover pullover pullover shirt shirt dress",
    "sandal": "sneaker sneaker sneaker boot",
    "shirt": "t-shirt t-shirt t-shirt pullover pullover coat coat dress",
    "sneaker": "sandal sandal boot boot",
    "bag": "shirt dress sandal",
    "boot": "sneaker sneaker sneaker sandal",
}
SWAPPED = {"coat": "pullover", "pullover": "coat"}
AT_RANDOM = 0.2  # of errors
LEARN_EVERY = 200
LABEL_SET = LabelSet(version=1, classes=CLASSES)
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotator:
    """Somebody who is right in `accuracy` of the answers, after taking one class for another where `swaps` says so."""

    name: str
    accuracy: float
    swaps: bool = False

    def answer(self, truth: str, draw: random.Random) -> str:
        seen = SWAPPED.get(truth, truth) if self.swaps else truth
        if draw.random() < self.accuracy:
            return seen
        return draw.choice(TAKEN_FOR[seen].split() if draw.random() > AT_RANDOM else CLASSES)


CROWD = (
    *(Annotator(name=f"good-{number}", accuracy=0.9) for number in range(5)),
    *(Annotator(name=f"mediocre-{number}", accuracy=0.75) for number in range(3)),
    Annotator(name="clicker", accuracy=0.0),
    Annotator(name="swapper", accuracy=0.9, swaps=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many answers a task gets: `first`, and one more while there is no label, up to `most`."""

    name: str
    first: int
    most: int


PLANS = (
    Plan(name="1", first=1, most=1),
    Plan(name="3", first=3, most=3),
    Plan(name="5", first=5, most=5),
    Plan(name="1 to 5", first=1, most=5),
    Plan(name="2 to 5", first=2, most=5),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came out of one run.

    Attributes:
        labeled: share of the tasks that got a label; the others are disputed.
        right: share of the labels that are right.
        per_100: right labels for 100 answers.
    """

    answers: float
    labeled: float
    right: float
    per_100: float


def main() -> None:
    """Prints a table, and draws it if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2000, help="tasks in a run")
    parser.add_argument("--seeds", type=int, default=3, help="runs; medians are shown")
    parser.add_argument("--min-posterior", type=float, default=0.95, help="that a label needs by posterior")
    parser.add_argument("--draw", type=Path, help="an SVG file to draw into")
    options = parser.parse_args()
    started, found = time.perf_counter(), {}
    print(f"{'answers a task':>14} | {'way':<11} | given |  labeled | labels right | right labels / 100 answers")
    for plan in PLANS:
        for truth in Truth:
            if truth is Truth.MAJORITY and plan.first == 1 < plan.most:
                continue  # one answer agrees with itself: no more is ever asked for
            policy = Policy(truth=truth, min_posterior=options.min_posterior)
            runs = [run(plan, policy, tasks=options.tasks, seed=seed) for seed in range(options.seeds)]
            result = found[plan.name, truth] = middle(runs)
            told = f"{result.answers:5.2f} | {result.labeled:8.1%} | {result.right:12.1%} | {result.per_100:10.1f}"
            print(f"{plan.name:>14} | {truth.value.replace('_', '-'):<11} | {told}", flush=True)
    print(f"{options.tasks} tasks, medians of {options.seeds} runs, {time.perf_counter() - started:.0f} s")
    if options.draw:
        options.draw.write_text(drawn(found))


def run(plan: Plan, policy: Policy, *, tasks: int, seed: int) -> Result:
    """Answers every task by the plan and settles it by the policy."""
    draw, units, crowd = random.Random(seed), list[Unit](), None
    spent = labeled = right = 0
    for number in range(tasks):
        truth = draw.choice(CLASSES)
        answers = given(truth, plan.most, draw)
        annotations = [next(answers) for _ in range(plan.first)]
        label = settle(annotations, policy, crowd)
        while label is None and len(annotations) < plan.most:
            annotations.append(next(answers))
            label = settle(annotations, policy, crowd)
        spent += len(annotations)
        labeled += label is not None
        right += label is not None and label.regions[0].class_name == truth
        units.append(Unit(votes=tuple((one.annotator, one.regions[0].class_name) for one in annotations)))
        if policy.truth is not Truth.MAJORITY and (number + 1) % LEARN_EVERY == 0:
            crowd = learn(units, values=CLASSES, truth=policy.truth, before=crowd)
    return Result(
        answers=spent / tasks, labeled=labeled / tasks, right=right / max(labeled, 1), per_100=100 * right / spent
    )


def given(truth: str, most: int, draw: random.Random) -> Iterator[Annotation]:
    """What the annotators say of one task, who comes first by chance; drawn ahead, so that all ways see the same."""
    said = [(one, one.answer(truth, draw)) for one in draw.sample(CROWD, most)]
    for slot, (annotator, class_name) in enumerate(said, start=1):
        yield Annotation(
            id=annotator.name,
            annotator=annotator.name,
            slot=slot,
            regions=(Region(part=Whole(), class_name=class_name),),
            time_spent=None,
            created_at=WHEN,
        )


def settle(annotations: Sequence[Annotation], policy: Policy, crowd: Crowd | None) -> Consensus | None:
    return consensus(annotations, label_set=LABEL_SET, policy=policy, crowd=crowd)


def middle(runs: Sequence[Result]) -> Result:
    return Result(
        answers=statistics.median(run.answers for run in runs),
        labeled=statistics.median(run.labeled for run in runs),
        right=statistics.median(run.right for run in runs),
        per_100=statistics.median(run.per_100 for run in runs),
    )


_WIDTH, _HEIGHT, _EDGE = 640, 400, 56
_COLOURS = {Truth.MAJORITY: "#8a8f98", Truth.WEIGHTED: "#2f7ed8", Truth.DAWID_SKENE: "#c2410c"}
_WRONG = (0.3, 0.1, 0.03, 0.01, 0.003)


def drawn(found: Mapping[tuple[str, Truth], Result]) -> str:
    """An SVG picture: how many labels are wrong (a log scale) over the answers that a task was given."""
    plans = {plan.name: plan for plan in PLANS}
    dots = [
        dot(*place(result.answers, 1 - result.right), truth, fixed=plans[name].first == plans[name].most)
        for (name, truth), result in found.items()
        if result.labeled > 0
    ]
    ticks = [text(place(answers, 1)[0], _HEIGHT - _EDGE + 20, f"{answers}") for answers in range(1, 6)]
    told = [(truth, fixed) for truth in _COLOURS for fixed in (True, False)]
    legend = [
        dot(_WIDTH - 200, 70 + 20 * row, truth, fixed=fixed)
        + text(_WIDTH - 188, 74 + 20 * row, f"{truth.replace('_', '-')}, {'fixed' if fixed else 'up to 5'}", "start")
        for row, (truth, fixed) in enumerate(told)
    ]
    names = text(_WIDTH / 2, _HEIGHT - 12, "answers given for each task") + text(_EDGE, 20, "labels wrong")
    body = "".join([*(axis_line(wrong) for wrong in _WRONG), *ticks, *dots, *legend, names])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>{body}</svg>\n'
    )


def place(answers: float, wrong: float) -> tuple[float, float]:
    x = _EDGE + (answers - 0.8) / 4.4 * (_WIDTH - 2 * _EDGE)
    share = math.log(_WRONG[0] / max(wrong, _WRONG[-1])) / math.log(_WRONG[0] / _WRONG[-1])
    return x, _EDGE + share * (_HEIGHT - 2 * _EDGE)


def dot(x: float, y: float, truth: Truth, *, fixed: bool) -> str:
    """Round where every task gets the same number of answers, square where doubt asks for more."""
    if fixed:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{_COLOURS[truth]}"/>'
    return f'<rect x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10" fill="{_COLOURS[truth]}"/>'


def axis_line(wrong: float) -> str:
    _, y = place(1, wrong)
    line = f'<line x1="{_EDGE}" x2="{_WIDTH - _EDGE / 2}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e5e8"/>'
    return line + text(_EDGE - 8, y + 4, f"{100 * wrong:g} %", "end")


def text(x: float, y: float, content: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#333">{content}</text>'


if __name__ == "__main__":
    main()
