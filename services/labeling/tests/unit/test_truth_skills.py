"""What is known of annotators, and what their votes then say: against published data, references and by hand."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from truth_values import simulated, units

from relearn_labeling.domain.truth import dawid_skene
from relearn_labeling.domain.truth.skills import ABSENT, UNKNOWN_ACCURACY, Crowd, Skill, Unit, unknown_crowd, votes_of
from relearn_labeling.domain.truth.weighted import weigh

# Dawid and Skene (1979), table 1: 45 patients, by seven readings of five anaesthetists; the first has read three times
PATIENTS = """
1111111 3334343 1122122 2223121 2223222 2223322 1222111 3333433 2222223 2322223 4444444 2223343 1111111
2223212 1211111 1112111 1111111 1111111 2222221 2221322 2222222 2222221 2223222 2212222 1111111 1111111
2322222 1111111 1111111 1121121 1111111 3333233 1111111 2222222 2223232 4334343 2212232 2323233 3333432
1111111 1111111 1212111 2322222 1211111 2222222
""".split()  # noqa: SIM905
READERS = "aaabcde"


def maximum_likelihood(rows: list[str], readers: str, values: str, rounds: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Dawid and Skene's own estimates, by their formulas 2.3 to 2.5: marginals [k] and posteriors [u, k]."""
    names = sorted(set(readers))
    counts = np.zeros((len(rows), len(names), len(values)))
    for number, row in enumerate(rows):
        for reader, value in zip(readers, row, strict=True):
            counts[number, names.index(reader), values.index(value)] += 1
    posteriors = counts.sum(1) / counts.sum((1, 2))[:, None]
    for _ in range(rounds):
        marginals = posteriors.mean(0)
        errors = np.einsum("uk,urv->rkv", posteriors, counts)
        errors /= errors.sum(2, keepdims=True)
        likelihood = np.prod(errors[None] ** counts[:, :, None, :], axis=(1, 3))
        posteriors = marginals * likelihood
        posteriors /= posteriors.sum(1, keepdims=True)
    return marginals, posteriors


def test_the_published_patients_get_the_published_classes():
    marginals, expected = maximum_likelihood(PATIENTS, READERS, "1234")
    np.testing.assert_allclose(marginals, [0.40, 0.42, 0.11, 0.07], atol=0.005)  # their table 3

    likeliest = dawid_skene.Draw(row=1e-9, wrong=1e-9, prior=1e-9)
    found = dawid_skene.fit(votes_of(units(*PATIENTS, annotators=READERS), "1234"), draw=likeliest)

    assert found.converged
    np.testing.assert_allclose(found.posteriors, expected, atol=5e-3)
    np.testing.assert_allclose(found.crowd.prior, marginals, atol=1e-3)


def test_a_posterior_is_bayes_rule():
    confusion = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    crowd = Crowd(
        values=("x", "y", "z"),
        prior=np.array([0.5, 0.3, 0.2]),
        newcomer=Skill(accuracy=0.6),
        skills={"ann": Skill(accuracy=0.7, confusion=confusion)},
    )

    found = crowd.posterior([("ann", "y"), ("ben", "x")])

    weights = [0.5 * 0.2 * 0.6, 0.3 * 0.8 * 0.2, 0.2 * 0.3 * 0.2]
    assert list(found.values()) == pytest.approx([weight / sum(weights) for weight in weights])


def test_a_vote_for_what_the_crowd_does_not_know_says_nothing():
    crowd = unknown_crowd("xy")

    assert crowd.posterior([("ann", "x"), ("ben", "?")]) == crowd.posterior([("ann", "x")])
    assert crowd.posterior([]) == {"x": 0.5, "y": 0.5}


def test_where_nobody_is_known_one_answer_is_as_sure_as_a_stranger_and_two_that_agree_are_enough():
    crowd = unknown_crowd([f"class-{n}" for n in range(10)])

    assert crowd.posterior([("ann", "class-3")])["class-3"] == pytest.approx(UNKNOWN_ACCURACY)
    assert crowd.posterior([("ann", "class-3"), ("ben", "class-3")])["class-3"] > 0.95


def test_with_one_value_everything_is_certain():
    votes = votes_of(units("xx", "x"), "x")

    assert unknown_crowd("x").posterior([("ann", "x")]) == {"x": 1.0}
    assert dawid_skene.fit(votes).posteriors.tolist() == [[1.0], [1.0]]
    assert weigh(votes).posterior([("ann", "x")]) == {"x": 1.0}


def test_an_accuracy_is_counted_against_the_others_and_drawn_towards_the_crowd():
    # a and b say the same 20 times; c is compared with them, they with each other and c
    crowd = weigh(votes_of(units(*["xxy"] * 20), "xy"))

    # of a: the others tie (one x, one y), nothing to compare; the same of b; c is wrong 20 times
    assert [crowd.skill(who).votes for who in "abc"] == [0, 0, 20]
    newcomer = (8 * UNKNOWN_ACCURACY + 0) / (8 + 10)
    assert crowd.newcomer.accuracy == pytest.approx(newcomer)
    assert crowd.skill("c").accuracy == pytest.approx(10 * newcomer / 30)


def test_gold_says_what_is_right_whatever_the_others_say():
    rows = [Unit(votes=(("ann", "x"), ("ben", "y"), ("cat", "y")), truth="x")] * 30

    for crowd in (weigh(votes_of(rows, "xy")), dawid_skene.fit(votes_of(rows, "xy")).crowd):
        assert crowd.skill("ann").accuracy > 0.8
        assert crowd.skill("ben").accuracy < 0.2
        assert crowd.posterior([("ann", "x"), ("ben", "y"), ("cat", "y")])["x"] > 0.9


@pytest.mark.parametrize("estimate", [weigh, lambda votes: dawid_skene.fit(votes).crowd])
def test_answers_that_nobody_else_gave_teach_nothing(estimate):
    crowd = estimate(votes_of(units("x", "y", "x", " y"), "xy"))

    assert crowd.skill("a").accuracy == crowd.newcomer.accuracy == pytest.approx(UNKNOWN_ACCURACY)


def test_no_answers_at_all_leave_the_crowd_unknown():
    votes = votes_of([], "xy")

    assert weigh(votes).posterior([("ann", "x")]) == pytest.approx({"x": 0.75, "y": 0.25})
    assert dawid_skene.fit(votes).crowd.posterior([("ann", "x")]) == pytest.approx({"x": 0.75, "y": 0.25})


def majority_right(rows: list[Unit], truths: list[str]) -> float:
    """Expected share of right labels when ties are broken by chance."""
    right = 0.0
    for unit, truth in zip(rows, truths, strict=True):
        said = [value for _, value in unit.votes]
        most = max(said.count(value) for value in said)
        winners = {value for value in said if said.count(value) == most}
        right += (truth in winners) / len(winners)
    return right / len(rows)


def share_right(crowd: Crowd, rows: list[Unit], truths: list[str]) -> float:
    chances = [crowd.posterior(unit.votes) for unit in rows]
    found = [max(chance, key=chance.__getitem__) for chance in chances]
    return float(np.mean([value == truth for value, truth in zip(found, truths, strict=True)]))


def test_annotators_of_mixed_skill_are_told_apart():
    accuracies = [0.9, 0.9, 0.9, 0.6, 0.25, 0.25]
    rows, truths = simulated(accuracies, values="wxyz", units=600, answers=4, seed=1)
    votes = votes_of(rows, "wxyz")

    fit = dawid_skene.fit(votes)

    for crowd in (weigh(votes), fit.crowd):
        found = [crowd.skill(f"annotator-{number}").accuracy for number in range(6)]
        assert found[2] > found[3] > max(found[4:])
        assert share_right(crowd, rows, truths) > majority_right(rows, truths) + 0.03
    np.testing.assert_allclose(
        [fit.crowd.skill(f"annotator-{number}").accuracy for number in range(6)], accuracies, atol=0.07
    )


@pytest.mark.parametrize("estimate", [weigh, lambda votes: dawid_skene.fit(votes).crowd])
def test_with_few_answers_labels_are_no_worse_than_by_a_count(estimate):
    counted, found = [], []
    for seed in range(50):
        rows, truths = simulated([0.9, 0.8, 0.7, 0.6, 0.8], values="vwxyz", units=12, answers=3, seed=seed)
        counted.append(majority_right(rows, truths))
        found.append(share_right(estimate(votes_of(rows, "vwxyz")), rows, truths))

    assert np.mean(found) >= np.mean(counted)


def test_who_confuses_a_pair_is_read_the_right_way_round():
    """Always says y for x and x for y: as good as the best, once known."""
    swap = {"x": "y", "y": "x", "z": "z"}
    rows = units(*[f"{v}{v}{v}{swap[v]}" for v in "xyz" * 60])

    crowd = dawid_skene.fit(votes_of(rows, "xyz")).crowd

    assert crowd.posterior([("d", "y")])["x"] > 0.8
    assert crowd.posterior([("d", "z")])["z"] > 0.8


def test_neither_the_order_of_units_nor_the_names_of_annotators_and_values_matter():
    rows, _ = simulated([0.9, 0.7, 0.4, 0.8], values="xyz", units=80, answers=3, seed=3)
    plain = dawid_skene.fit(votes_of(rows, "xyz"))
    renamed = {"x": "r", "y": "p", "z": "q"}
    shuffled = random.Random(0).sample(range(len(rows)), len(rows))
    others = [Unit(votes=tuple((f"z{who[::-1]}", renamed[v]) for who, v in reversed(rows[n].votes))) for n in shuffled]

    other = dawid_skene.fit(votes_of(others, "pqr"))

    columns = ["pqr".index(renamed[value]) for value in "xyz"]
    np.testing.assert_allclose(other.posteriors[:, columns], plain.posteriors[shuffled], atol=1e-6)


def test_a_later_fit_goes_on_from_an_earlier_one():
    rows, _ = simulated([0.9, 0.7, 0.4, 0.8], values="xyz", units=200, answers=3, seed=4)
    cold = dawid_skene.fit(votes_of(rows, "xyz"))

    warm = dawid_skene.fit(votes_of(rows, "xyz"), start=cold.crowd)

    assert warm.rounds < cold.rounds
    np.testing.assert_allclose(warm.posteriors, cold.posteriors, atol=1e-2)


def test_one_new_task_is_decided_as_the_fit_would_have_decided_it():
    rows, _ = simulated([0.9, 0.7, 0.4, 0.8], values="xyz", units=200, answers=3, seed=5)
    fit = dawid_skene.fit(votes_of(rows, "xyz"))

    for unit, posterior in zip(rows[:20], fit.posteriors, strict=False):
        assert list(fit.crowd.posterior(unit.votes).values()) == pytest.approx(posterior, abs=1e-3)


def test_things_that_few_see_are_doubted():
    """A thing is there, or was made up by one of three: what absent says is learned like any class."""
    rows = [Unit(votes=(("a", "cat"), ("b", "cat"), ("c", "cat")))] * 30
    rows += [Unit(votes=(("a", ABSENT), ("b", ABSENT), ("c", "cat")))] * 10
    crowd = dawid_skene.fit(votes_of(rows, ("cat", "dog", ABSENT))).crowd

    assert crowd.posterior([("a", "cat"), ("b", "cat"), ("c", ABSENT)])["cat"] > 0.9
    assert crowd.posterior([("a", ABSENT), ("b", ABSENT), ("c", "cat")])[ABSENT] > 0.9
    assert math.isclose(sum(crowd.posterior([("a", "dog")]).values()), 1)
