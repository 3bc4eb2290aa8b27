"""A policy with round numbers."""

from __future__ import annotations

from relearn_monitoring.domain.policy import Policy

POLICY = Policy(
    project_id="clothes",
    revision=1,
    paused=False,
    classes=("shirt", "boot"),
    labels_per_day=100,
    audit_share=0.1,
    reserve_share=0.8,
    audits_per_alert=50,
    selected_per_alert=200,
    predictions_per_day=100_000,
    window_predictions=500,
    window_after_s=300,
    reference_predictions=1000,
    predictions_per_false_alarm=1_000_000,
    margin=0.05,
    waiting_inputs=2000,
    shadow_pairs=1000,
    min_disagreement=0.02,
    disagreements_per_look=60,
)
