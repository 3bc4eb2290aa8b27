"""Trials after the known good ones, from Optuna.

The study lives in our own run rows and is told to a fresh in-memory Optuna study before each question. One truth,
written in the transaction that also writes the outcome and its event; a second one in Optuna's own tables could
disagree with it after a crash, and would bring a synchronous database driver along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relearn_training.domain.search import LEARNING_RATES, Parameters, Space, known_good

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_DRAWS = 10  # attempts of each sampler to find a point that was not tried; small spaces run out of them
_RANDOM_TRIALS = 6  # before TPE models anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A trial that was started: its parameters and, once it has one, its objective."""

    parameters: Parameters
    objective: float | None


def suggest(space: Space, tried: Sequence[Tried], *, trial: int, seed: int) -> Parameters:
    """Parameters of trial number `trial`; a function of its arguments alone.

    Points that were tried are avoided while the space has others.
    """
    first = known_good(space, trial)
    if first is not None:
        return first
    import optuna  # half a second, and only a search needs it

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    taken = {one.parameters for one in tried}
    suggestion = None
    for draw in range(2 * _DRAWS):
        drawn_by = (seed + 1000 * trial + draw) % 2**32  # numpy's older generator, which Optuna uses, takes no more
        sampler: optuna.samplers.BaseSampler = (
            optuna.samplers.TPESampler(seed=drawn_by, n_startup_trials=_RANDOM_TRIALS)
            if draw < _DRAWS
            else optuna.samplers.RandomSampler(seed=drawn_by)  # TPE insists on a point it likes
        )
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for one in tried:
            if one.objective is not None:
                study.add_trial(
                    optuna.trial.create_trial(
                        params=_encoded(one.parameters), distributions=_distributions(space), value=one.objective
                    )
                )
        suggestion = _decoded(study.ask(_distributions(space)).params)
        if suggestion not in taken:
            break
    assert suggestion is not None  # noqa: S101 - the loop ran
    return suggestion


def _distributions(space: Space) -> dict[str, BaseDistribution]:
    from optuna.distributions import CategoricalDistribution

    # family and width are one choice: a width means nothing without its family
    architectures = [f"{family}/{width}" for family in space.families for width in space.widths(family)]
    return {
        "architecture": CategoricalDistribution(architectures),
        "learning_rate": CategoricalDistribution(LEARNING_RATES),
        "new_share": CategoricalDistribution(space.new_shares),
    }


def _encoded(parameters: Parameters) -> dict[str, str | float]:
    return {
        "architecture": f"{parameters.family}/{parameters.width}",
        "learning_rate": parameters.learning_rate,
        "new_share": parameters.new_share,
    }


def _decoded(values: dict[str, str | float]) -> Parameters:
    family, width = str(values["architecture"]).split("/")
    return Parameters(
        family=family,
        width=int(width),
        learning_rate=float(values["learning_rate"]),
        new_share=float(values["new_share"]),
    )
