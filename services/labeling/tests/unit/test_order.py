"""Which task goes first, and why."""

from __future__ import annotations

import pytest
from labeling_values import NOW, POLICY, answered, flag, task

from relearn_labeling.domain.flags import flag_task
from relearn_labeling.domain.order import Rank, blind_why, rank_of, why
from relearn_labeling.domain.tasks import Stream


@pytest.mark.parametrize(
    ("stream", "alert", "expected"),
    [
        (Stream.DISAGREEMENT, "", Rank.SETTLES),
        (Stream.AUDIT, "alert-1", Rank.SETTLES),
        (Stream.SELECTED, "", Rank.TEACHES),
        (Stream.SELECTED, "alert-1", Rank.TEACHES),
        (Stream.AUDIT, "", Rank.INFORMS),
    ],
)
def test_alert_audits_and_disagreements_go_first_then_selected_then_everyday_audits(stream, alert, expected):
    assert rank_of(task(flag(1, stream, alert=alert))) is expected


def test_the_most_urgent_flag_counts():
    both = task(flag(1, Stream.AUDIT), flag(2, Stream.DISAGREEMENT))

    assert rank_of(both) is Rank.SETTLES
    assert why(both) == (
        "disagreement: an open alert or a rollout waits for it; the model said boot with 0.41 (and 1 more flag)"
    )


def test_a_flag_that_was_told_its_outcome_counts_no_more():
    accepted = answered(task(flag(1)), ann="boot")

    reopened, _ = flag_task(accepted, flag(2, Stream.AUDIT), label_set_version=1, policy=POLICY, now=NOW)

    assert rank_of(reopened) is Rank.INFORMS


def test_an_annotator_is_not_told_what_the_model_answered():
    assert "boot" not in blind_why(task())
