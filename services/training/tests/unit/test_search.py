import subprocess
import sys

import pytest

from relearn_training.domain.search import FAMILIES, Parameters, known_good, space
from relearn_training.search import Tried, suggest


def test_the_first_study_tries_each_family_by_its_default_first():
    found = space(families=[], champion=None, new_share=0.5, new_labels=0)

    assert [known_good(found, trial).family for trial in range(2)] == list(FAMILIES)
    assert known_good(found, 2) is None
    assert known_good(found, 0).new_share == 0.0


def test_an_update_continues_the_champion_first():
    found = space(families=[], champion=("tiny-resnet", 16), new_share=0.5, new_labels=200)

    first, second = known_good(found, 0), known_good(found, 1)
    assert (first.family, first.width, first.new_share) == ("tiny-resnet", 16, 0.5)
    assert found.starts_warm(first)
    assert second.family == "plain-cnn"
    assert not found.starts_warm(second)


def test_a_champion_whose_family_is_no_longer_allowed_is_not_continued():
    found = space(families=["plain-cnn"], champion=("tiny-resnet", 16), new_share=0.5, new_labels=200)

    assert found.warm is None
    assert found.families == ("plain-cnn",)


def test_unknown_families_are_refused():
    with pytest.raises(ValueError, match="no known architecture family"):
        space(families=["transformer"], champion=None, new_share=0.5, new_labels=0)


def test_later_trials_are_a_function_of_seed_and_results_and_repeat_none():
    found = space(families=[], champion=("plain-cnn", 24), new_share=0.5, new_labels=200)
    tried: list[Tried] = []
    for trial in range(8):
        parameters = suggest(found, tried, trial=trial, seed=1)
        assert suggest(found, tried, trial=trial, seed=1) == parameters
        tried.append(Tried(parameters=parameters, objective=0.5 + trial / 100))

    assert len({one.parameters for one in tried}) == 8


def test_any_seed_that_a_project_may_have_can_be_used():
    found = space(families=[], champion=None, new_share=0.5, new_labels=0)

    assert suggest(found, [], trial=5, seed=2**63 - 1) == suggest(found, [], trial=5, seed=2**63 - 1)


def test_a_space_that_is_used_up_repeats_itself_rather_than_failing():
    found = space(families=["plain-cnn"], champion=None, new_share=0.5, new_labels=0)
    tried = []
    for trial in range(8):  # two widths and three rates make six points
        tried.append(Tried(parameters=suggest(found, tried, trial=trial, seed=1), objective=None))

    assert len({one.parameters for one in tried}) == 6


@pytest.mark.parametrize("change", [{"family": "x"}, {"width": 0}, {"learning_rate": 0.0}, {"new_share": 1.5}])
def test_parameters_out_of_range_are_refused(change):
    good = {"family": "plain-cnn", "width": 24, "learning_rate": 0.003, "new_share": 0.5}

    assert Parameters.from_dict(good).to_dict() == good
    with pytest.raises(ValueError, match=r"unknown architecture|out of range"):
        Parameters.from_dict(good | change)


def test_the_service_process_never_imports_torch():
    program = "import sys, relearn_training.app, relearn_training.search; print('torch' in sys.modules)"

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "False"
