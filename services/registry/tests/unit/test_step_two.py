"""Gate step 2: the sign test and its two looks, what counts, and what ends it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from relearn_registry.domain.judgements import Held, Verdict
from relearn_registry.domain.step_two import (
    Comparison,
    Disagreement,
    Evidence,
    Policy,
    Requirement,
    judge,
    not_approved,
    tally_of,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BETTER = Policy(requirement=Requirement.BETTER, per_look=60, significance=0.05, deadline=timedelta(hours=24))
NOT_WORSE = replace(BETTER, requirement=Requirement.NOT_WORSE)


def disagreements(wins, losses, *, neither=0, disputed=0, open=0, trained_on=0, first=1):
    kinds = (
        [("challenger", True, False)] * wins
        + [("champion", True, False)] * losses
        + [("else", True, False)] * neither
        + [(None, True, False)] * disputed
        + [("challenger", True, True)] * trained_on
        + [(None, False, False)] * open
    )
    return [
        Disagreement(
            number=first + i,
            champion_label="champion",
            challenger_label="challenger",
            settled=settled,
            label=label,
            label_id=f"label-{first + i}" if label else "",
            trained_on=seen,
        )
        for i, (label, settled, seen) in enumerate(kinds)
    ]


def evidence(asked, *, looks=0, stop="", asked_count=None, pairs=1000, differ=200):
    seen = Comparison(
        pairs=pairs, disagreements=differ, asked=len(asked) if asked_count is None else asked_count, stop_reason=stop
    )
    return Evidence(disagreements=asked, comparison=seen, looks=looks, since=NOW - timedelta(minutes=5))


def judged(asked, *, policy=BETTER, now=NOW, **rest):
    return judge(evidence(asked, **rest), policy=policy, now=now)


def test_forty_of_sixty_pass_at_the_first_look():
    finding = judged(disagreements(40, 20))  # p = 0.0067

    assert finding.verdict is Verdict.PASSED
    assert finding.look == 1
    assert len(finding.label_ids) == 60
    p = next(m for m in finding.measurements if m.name == "sign_test/p_value")
    assert (p.value, p.limit, p.samples) == (pytest.approx(0.00674, abs=1e-5), 0.025, 60)
    assert finding.reason.endswith("40 for the challenger, 20 for the champion of 60 disagreements, p = 0.0067")


def test_a_tiny_p_value_is_never_told_as_zero():
    assert judged(disagreements(60, 0)).reason.endswith("p < 0.0001")


def test_thirty_six_of_sixty_are_not_decided_yet():
    finding = judged(disagreements(36, 24))  # p = 0.077, and under 0.05 would not do either at half of it

    assert finding.verdict is Verdict.UNDECIDED
    assert finding.look == 1


def test_half_the_significance_is_asked_at_each_look():
    finding = judged(disagreements(37, 23))  # p = 0.046: under 0.05, over 0.025

    assert finding.verdict is Verdict.UNDECIDED


def test_nothing_is_decided_before_the_look_is_complete():
    assert judged(disagreements(59, 0, open=1)) is None
    assert judged(disagreements(59, 0)) is None


def test_the_last_look_passes_or_rejects():
    assert judged(disagreements(73, 47), looks=1).verdict is Verdict.PASSED  # p = 0.011
    assert judged(disagreements(66, 54), looks=1).verdict is Verdict.REJECTED  # p = 0.16


def test_a_first_look_that_nothing_could_repair_rejects_at_once():
    finding = judged(disagreements(9, 51))  # 69 of 120 at best: p = 0.06

    assert finding.verdict is Verdict.REJECTED
    assert "no outcome of the next look" in finding.reason


def test_the_order_asked_counts_not_the_order_settled():
    """The 61st is settled, the 60th is not: the first look has to wait for it."""
    asked = disagreements(59, 0, open=1) + disagreements(5, 0, first=61)

    assert judged(asked) is None


def test_only_the_first_sixty_count_at_the_first_look():
    asked = disagreements(30, 30) + disagreements(60, 0, first=61)

    assert judged(asked).verdict is Verdict.UNDECIDED


def test_neither_disputed_and_trained_on_speak_for_nobody():
    asked = disagreements(20, 5, neither=10, disputed=15, trained_on=10)

    tally = tally_of(asked)

    assert (tally.wins, tally.losses, tally.neither, tally.disputed, tally.trained_on) == (20, 5, 10, 15, 10)
    assert len(tally.label_ids) == 25
    assert judged(asked).verdict is Verdict.PASSED  # 20 of 25: p = 0.002


def test_what_a_challenger_was_trained_on_can_not_carry_it():
    assert judged(disagreements(0, 0, trained_on=60)).verdict is Verdict.UNDECIDED


def test_too_few_disagreements_reject_or_pass_by_requirement():
    few = {"stop": "TOO_FEW_DISAGREEMENTS", "pairs": 1000, "differ": 9}

    rejected, passed = judged([], **few), judged([], policy=NOT_WORSE, **few)

    assert (rejected.verdict, passed.verdict) == (Verdict.REJECTED, Verdict.PASSED)
    assert rejected.reason.startswith("TOO_FEW_DISAGREEMENTS: 9 disagreements in 1000 pairs")
    assert rejected.look == 0


@pytest.mark.parametrize("policy", [BETTER, NOT_WORSE])
def test_no_budget_rejects_with_that_reason(policy):
    finding = judged(disagreements(30, 0), policy=policy, stop="BUDGET_EXHAUSTED")

    assert finding.verdict is Verdict.REJECTED
    assert finding.reason.startswith("BUDGET_EXHAUSTED: 30 of 60")


def test_no_budget_for_more_is_no_reason_while_all_asked_are_coming():
    assert judged(disagreements(30, 0, open=30), stop="BUDGET_EXHAUSTED") is None
    assert judged(disagreements(60, 0, open=60), looks=1, stop="BUDGET_EXHAUSTED") is None


def test_the_deadline_rejects_with_that_reason():
    finding = judged(disagreements(10, 0, open=50), now=NOW + timedelta(hours=24))

    assert finding.verdict is Verdict.REJECTED
    assert finding.reason.startswith("DEADLINE")
    assert len(finding.label_ids) == 10


def test_the_deadline_holds_while_it_is_not_known_what_the_challenger_was_trained_on():
    waits = Evidence(disagreements=None, comparison=None, looks=0, since=NOW)

    assert judge(waits, policy=BETTER, now=NOW + timedelta(hours=23)) is None
    finding = judge(waits, policy=BETTER, now=NOW + timedelta(hours=24))
    assert finding is not None
    assert finding.verdict is Verdict.REJECTED
    assert finding.reason.endswith("which labels it was trained on is not known")


def test_a_pass_that_nobody_approves_ends_at_the_deadline():
    held = Held(finding=judged(disagreements(40, 20)), causes=("event",), held_at=NOW)

    assert not_approved(held, policy=BETTER, now=NOW + timedelta(hours=23)) is None
    ended = not_approved(held, policy=BETTER, now=NOW + timedelta(hours=24))
    assert ended is not None
    assert ended.verdict is Verdict.REJECTED
    assert ended.reason.startswith("DEADLINE: nobody approved it for 1 day, 0:00:00 (better than the champion")
    assert ended.measurements == held.finding.measurements


def test_a_complete_look_is_judged_even_after_the_deadline():
    assert judged(disagreements(40, 20), now=NOW + timedelta(days=9)).verdict is Verdict.PASSED


def test_not_worse_passes_when_it_has_not_lost_more():
    assert judged(disagreements(30, 30), policy=NOT_WORSE).verdict is Verdict.PASSED


def test_not_worse_waits_for_the_second_look_when_it_lost_more():
    assert judged(disagreements(26, 34), policy=NOT_WORSE).verdict is Verdict.UNDECIDED
    assert judged(disagreements(55, 65), policy=NOT_WORSE, looks=1).verdict is Verdict.PASSED


def test_not_worse_rejects_what_is_significantly_worse():
    assert judged(disagreements(20, 40), policy=NOT_WORSE).verdict is Verdict.REJECTED


def test_without_a_comparison_labels_alone_decide():
    told = Evidence(disagreements=disagreements(40, 20), comparison=None, looks=0, since=NOW)

    assert judge(told, policy=BETTER, now=NOW).verdict is Verdict.PASSED
