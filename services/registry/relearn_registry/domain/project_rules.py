"""Every number of a project: its range and what it is when nobody chose one.

The comments of `relearn/registry/v1/project.proto` are the specification; a test keeps both equal in paths. Durations
are in seconds. Paths are those a person writes in a project file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = int | float | str | tuple[int, ...] | tuple[str, ...]

_MOST = 1_000_000_000
_YEAR_S = 365 * 86400.0
FAMILIES = ("plain-cnn", "tiny-resnet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number of a policy; without a default it may be left out."""

    path: str
    default: int | float | None
    low: int | float
    high: int | float

    def problem(self, value: Value) -> str | None:
        """What is wrong with a value, or None."""
        if isinstance(value, (str, tuple)) or math.isnan(value) or not self.low <= value <= self.high:
            return f"must be {_range(self.low, self.high)}, is {value}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One word of several."""

    path: str
    default: str
    words: tuple[str, ...]

    def problem(self, value: Value) -> str | None:
        """What is wrong with a value, or None."""
        return None if value in self.words else f"must be one of {', '.join(self.words)}, is {value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Something for people to read."""

    path: str
    most: int
    default: None = None

    def problem(self, value: Value) -> str | None:
        """What is wrong with a value, or None."""
        if not isinstance(value, str) or len(value) > self.most:
            return f"must have at most {self.most} characters, has {len(str(value))}"
        return "must not have the character NUL" if "\x00" in value else None


def _n(path: str, default: int | float | None, low: int | float, high: int | float) -> Number:
    return Number(path=path, default=default, low=low, high=high)


RULES: tuple[Number | Choice | Text, ...] = (
    Choice(path="metric", default="ACCURACY", words=("ACCURACY",)),
    _n("datasets.commit_labels", 50, 1, 100_000),
    _n("datasets.commit_after", 30.0, 0.01, _YEAR_S),
    _n("datasets.validation_share", 0.25, 0.01, 0.9),
    _n("datasets.test_share", 0.0, 0.0, 0.9),
    _n("labeling.overlap_selected", 1, 1, 15),
    _n("labeling.overlap_audit", 3, 1, 15),
    _n("labeling.overlap_disagreement", 3, 1, 15),
    _n("labeling.overlap_other", 1, 1, 15),
    _n("labeling.most_overlap", None, 1, 15),
    _n("labeling.answers_per_day", 2000, 1, _MOST),
    _n("labeling.answers_per_annotator", None, 1, _MOST),
    _n("labeling.tasks_in_hand", 3, 1, 10),
    _n("labeling.lease", 120.0, 1.0, 3600.0),
    _n("labeling.patience", 3600.0, 0.01, _YEAR_S),
    Choice(path="labeling.truth", default="MAJORITY", words=("MAJORITY", "WEIGHTED", "DAWID_SKENE")),
    _n("labeling.min_posterior", 0.8, 0.5, 1.0),
    _n("labeling.iou", 0.5, 0.1, 0.95),
    _n("labeling.gold_share", 0.0, 0.0, 0.5),
    Text(path="labeling.instructions", most=10_000),
    _n("training.min_train_labels", 200, 1, _MOST),
    _n("training.min_validation_labels", 50, 1, _MOST),
    _n("training.new_labels", 1000, 1, _MOST),
    _n("training.new_labels_after_alert", 200, 1, _MOST),
    _n("training.cool_down", 3600.0, 0.0, _YEAR_S),
    _n("training.trials", 4, 1, 100),
    _n("training.trials_in_parallel", 2, 1, 16),
    _n("training.epochs", 20, 1, 1000),
    _n("training.update_epochs", 12, 1, 1000),
    _n("training.new_share", 0.5, 0.0, 1.0),
    _n("training.time_budget", 1800.0, 1.0, _YEAR_S),
    _n("training.seed", 0, 0, 2**63 - 1),
    _n("training.image_size.height", None, 8, 512),
    _n("training.image_size.width", None, 8, 512),
    _n("training.image_size.channels", None, 1, 3),
    _n("promotion.first_margin", 0.1, 0.0, 1.0),
    _n("promotion.max_loss", 0.05, 0.0, 1.0),
    _n("promotion.max_class_loss", 0.15, 0.0, 1.0),
    Choice(path="promotion.requirement", default="BETTER", words=("BETTER", "NOT_WORSE")),
    Choice(path="promotion.approval", default="AUTOMATIC", words=("AUTOMATIC", "MANUAL")),
    _n("promotion.shadow_pairs", 1000, 1, _MOST),
    _n("promotion.min_disagreement", 0.02, 0.0, 1.0),
    _n("promotion.disagreements_per_look", 60, 5, 1000),
    _n("promotion.significance", 0.05, 0.001, 0.5),
    _n("promotion.deadline", 86400.0, 1.0, _YEAR_S),
    _n("rollout.requests_per_step", 200, 1, _MOST),
    _n("rollout.max_error_increase", 0.01, 0.0, 1.0),
    _n("rollout.max_latency_ratio", 3.0, 1.0, 1000.0),
    _n("monitoring.labels_per_day", 500, 0, _MOST),
    _n("monitoring.audit_share", 0.1, 0.0, 1.0),
    _n("monitoring.reserve_share", 0.8, 0.0, 1.0),
    _n("monitoring.audits_per_alert", 50, 10, 1000),
    _n("monitoring.selected_per_alert", 200, 0, _MOST),
    _n("monitoring.predictions_per_day", 100_000, 1, 10**12),
    _n("monitoring.window_predictions", 500, 50, 100_000),
    _n("monitoring.window_after", 300.0, 0.1, _YEAR_S),
    _n("monitoring.reference_predictions", 1000, 200, 100_000),
    _n("monitoring.predictions_per_false_alarm", 1_000_000, 1000, 10**12),
    _n("monitoring.margin", 0.05, 0.0, 1.0),
    _n("monitoring.waiting_inputs", 2000, 100, 100_000),
)
LISTS: Mapping[str, tuple[int, ...] | tuple[str, ...]] = {
    "training.families": FAMILIES,
    "rollout.canary_percent": (1, 5, 25, 50, 100),
}
"""Lists and what they are when left empty."""

PATHS = frozenset({rule.path for rule in RULES} | set(LISTS))


def with_defaults(values: Mapping[str, Value]) -> dict[str, Value]:
    """The values with a number for everything that has a default."""
    numbers = {rule.path: rule.default for rule in RULES if rule.default is not None}
    chosen = {path: value for path, value in values.items() if value != ()}
    return {**numbers, **LISTS, **chosen}


def problems(values: Mapping[str, Value]) -> dict[str, str]:
    """Path to problem, of every value that is impossible by itself or beside another one."""
    complete = with_defaults(values)
    found = {rule.path: problem for rule in RULES if (problem := _problem_of(rule, complete))}
    return {**_together(complete), **_image_size(complete), **_lists(complete), **found}


def _problem_of(rule: Number | Choice | Text, values: Mapping[str, Value]) -> str | None:
    return rule.problem(values[rule.path]) if rule.path in values else None


def _together(values: Mapping[str, Value]) -> dict[str, str]:
    found = {}
    if _number(values, "datasets.validation_share") + _number(values, "datasets.test_share") >= 1:
        found["datasets.test_share"] = (
            "with validation_share it leaves nothing to train on; both must be under 1 together"
        )
    if _number(values, "monitoring.audit_share") + _number(values, "monitoring.reserve_share") > 1 + 1e-9:
        found["monitoring.reserve_share"] = "with audit_share it is more than the whole budget"
    return found


def _image_size(values: Mapping[str, Value]) -> dict[str, str]:
    names = [f"training.image_size.{name}" for name in ("height", "width", "channels")]
    given = [name for name in names if name in values]
    if not given:
        return {}
    found = {name: "required when image_size is given" for name in names if name not in values}
    if values.get(names[2]) == 2:
        found[names[2]] = "must be 1 (grey) or 3 (colour), is 2"
    return found


def _lists(values: Mapping[str, Value]) -> dict[str, str]:
    found = {}
    for i, family in enumerate(_sequence(values, "training.families")):
        if family not in FAMILIES:
            found[f"training.families[{i}]"] = f"must be one of {', '.join(FAMILIES)}, is {family!r}"
    previous = 0
    steps = [int(step) for step in _sequence(values, "rollout.canary_percent")]
    for i, step in enumerate(steps):
        if not previous < step <= 100:
            found[f"rollout.canary_percent[{i}]"] = f"must rise from step to step, 1 to 100, is {step}"
        previous = step
    if steps[-1] != 100:
        found["rollout.canary_percent"] = f"must end at 100, ends at {steps[-1]}"
    return found


def _number(values: Mapping[str, Value], path: str) -> float:
    value = values[path]
    return float(value) if isinstance(value, (int, float)) else math.nan


def _sequence(values: Mapping[str, Value], path: str) -> Sequence[int | str]:
    value = values[path]
    return value if isinstance(value, tuple) else ()


def _range(low: int | float, high: int | float) -> str:
    return f"{low:g} to {high:g}" if high < _MOST else f"at least {low:g}"
