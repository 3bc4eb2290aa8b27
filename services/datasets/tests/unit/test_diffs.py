"""Folding the log into a diff."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relearn_datasets.domain.diffs import Fold, Step, Totals, between
from relearn_datasets.domain.errors import DifferentProjects, UnknownVersion
from relearn_datasets.domain.values import LabelValue, one_class

COMMITS = st.lists(
    st.dictionaries(st.integers(1, 8), st.sampled_from(["boot", "bag", "", None]), max_size=5), min_size=1, max_size=8
)


def log_of(commits) -> tuple[list[dict[int, str]], list[tuple[int, int, Step]]]:
    """The states before and after each commit, and the rows (sample, commit, step) of the log."""
    states, rows = [{}], []
    for number, commit in enumerate(commits, 1):
        now = dict(states[-1])
        for sample, label in commit.items():
            old = now.get(sample)
            rows.append((sample, number, step(sample, old, label)))
            now[sample] = label
        states.append(now)
    return states, rows


def value(label: str | None) -> LabelValue | None:
    """Of a class, of nothing at all (the empty word), or no label."""
    return one_class(label) if label else None if label is None else LabelValue(class_name=None, regions=b"")


def step(sample: int, old: str | None, new: str | None) -> Step:
    return Step(
        sha256=sample.to_bytes(32, "big"),
        old_label=value(old),
        old_label_id=old and f"{old}-id",
        new_label=value(new),
        new_label_id=new and f"{new}-id",
    )


def folded(steps, *, backwards: bool = False) -> list[Step]:
    fold = Fold(backwards=backwards)
    return [done for done in (*map(fold.take, steps), fold.end()) if done is not None]


@given(COMMITS, st.data())
def test_a_fold_of_the_commits_between_is_the_difference_of_the_states(commits, data):
    states, rows = log_of(commits)
    low = data.draw(st.integers(0, len(commits)))
    high = data.draw(st.integers(low, len(commits)))
    between_them = [one for _, number, one in sorted(rows, key=lambda row: row[:2]) if low < number <= high]

    net = {int.from_bytes(one.sha256, "big"): (one.old_label, one.new_label) for one in folded(between_them)}
    back = {
        int.from_bytes(one.sha256, "big"): (one.new_label, one.old_label)
        for one in folded(between_them, backwards=True)
    }

    keys = states[low].keys() | states[high].keys()
    expected = {key: (value(states[low].get(key)), value(states[high].get(key))) for key in keys}
    assert net == back == {key: labels for key, labels in expected.items() if labels[0] != labels[1]}


def test_the_label_id_is_that_of_the_version_read_towards():
    (forwards,) = folded([step(1, "boot", "bag")])
    (backwards,) = folded([step(1, "boot", "bag")], backwards=True)

    assert (forwards.new_label, forwards.new_label_id) == (value("bag"), "bag-id")
    assert (backwards.new_label, backwards.new_label_id) == (value("boot"), "boot-id")


def test_totals_tell_added_removed_and_relabeled_apart():
    totals = Totals()
    for one in (
        step(1, None, "bag"),
        step(2, "bag", None),
        step(3, "bag", "boot"),
        step(4, None, ""),
        step(5, "", "boot"),
    ):
        totals = totals.count(one)

    assert totals == Totals(added=2, removed=1, relabeled=2)


def test_versions_in_either_order_name_the_same_commits():
    forwards, backwards = between("a/data/2", "a/data/5"), between("a/data/5", "a/data/2")

    assert (forwards.after, forwards.upto, forwards.backwards) == (2, 5, False)
    assert (backwards.after, backwards.upto, backwards.backwards) == (2, 5, True)
    assert (between("", "a/data/5").after, between("", "a/data/5").backwards) == (0, False)


def test_versions_of_two_projects_have_no_diff():
    with pytest.raises(DifferentProjects):
        between("a/data/1", "b/data/2")


@pytest.mark.parametrize(
    "wrong", ["", "a", "a/data/0", "a/data/01", "a/data/x", "A/data/1", "a/data/1\n", "a/data/9" + "9" * 18]
)
def test_ids_that_no_version_has_are_unknown(wrong):
    with pytest.raises(UnknownVersion):
        between("", wrong)
