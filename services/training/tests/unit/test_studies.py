from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from relearn_training.domain import studies as moves
from relearn_training.domain.pruning import hopeless
from relearn_training.domain.search import Parameters
from relearn_training.domain.studies import Plan, Result, Run, RunHasOutcome, RunState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLAN = Plan(
    classes=("a", "b"),
    label_set_version=1,
    trials=4,
    trials_in_parallel=2,
    epochs=20,
    update_epochs=12,
    new_share=0.5,
    families=(),
    time_budget=timedelta(seconds=60),
    seed=0,
    image_size=None,
    champion_run_id="",
    champion_version_n=0,
    audits_since_n=0,
)
RUN = Run(
    id="r",
    study_id="s",
    project_id="p",
    trial=0,
    parameters=Parameters(family="plain-cnn", width=24, learning_rate=0.003, new_share=0.0),
    state=RunState.RUNNING,
    started_at=NOW,
)


def result(objective: float) -> Result:
    return Result(
        objective=objective, temperature=1.0, measurements=(), samples_per_second=1.0, code_digest="", files=()
    )


def finished(trial: int, objective: float, *, lasted_s: float = 10) -> Run:
    run = replace(RUN, id=f"r{trial}", trial=trial)
    return moves.finish(run, result(objective), now=NOW + timedelta(seconds=lasted_s))


def test_a_run_has_exactly_one_outcome():
    ended = finished(0, 0.8)

    for move in (
        lambda: moves.finish(ended, result(0.9), now=NOW),
        lambda: moves.prune(ended, "late", now=NOW),
        lambda: moves.fail(ended, "crash", now=NOW),
    ):
        with pytest.raises(RunHasOutcome):
            move()


def test_the_winner_is_the_best_finished_run_and_the_earlier_of_equals():
    pruned = moves.prune(replace(RUN, trial=3), "hopeless", now=NOW)

    assert moves.winner([finished(0, 0.8), finished(1, 0.9), finished(2, 0.9), pruned]).trial == 1
    assert moves.winner([pruned]) is None


def test_trials_go_on_until_their_number_or_the_time_is_used_up():
    def next_trial(runs, seconds):
        return moves.next_trial(PLAN, runs, started_at=NOW, now=NOW + timedelta(seconds=seconds))

    runs = [finished(0, 0.8, lasted_s=25), finished(1, 0.8, lasted_s=20)]
    assert next_trial([], 1000) == 0  # a late study still has one
    assert next_trial(runs, 30) == 2
    assert next_trial(runs, 40) is None  # would end at 65 s
    assert next_trial([*runs, finished(2, 0.1), finished(3, 0.1)], 0) is None


def test_a_study_without_a_winner_says_what_became_of_its_trials():
    pruned, failed = moves.prune(RUN, "hopeless", now=NOW), moves.fail(replace(RUN, trial=1), "ended with -9", now=NOW)

    assert moves.why_no_winner([pruned, failed]) == "none of 2 trials finished; the last one: ended with -9"


def test_progress_counts_unfinished_runs_in_part():
    assert moves.progress(PLAN, [finished(0, 0.8), replace(RUN, progress=0.5)]) == pytest.approx(1.5 / 4)


def test_only_a_trial_far_behind_its_siblings_is_hopeless():
    assert not hopeless(share=0.5, objective=0.1, others=[])
    assert not hopeless(share=0.5, objective=0.70, others=[0.8])
    assert hopeless(share=0.5, objective=0.60, others=[0.8, 0.5])
    assert hopeless(share=0.75, objective=0.70, others=[0.8])
