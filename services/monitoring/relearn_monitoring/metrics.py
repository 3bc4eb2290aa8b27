"""Every metric that monitoring emits. An id is never a label."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

PREDICTIONS = Counter("relearn_monitoring_predictions_total", "Predictions by what became of them", ["outcome"])
WINDOWS = Counter("relearn_monitoring_windows_total", "Windows closed")
PICKS = Counter("relearn_monitoring_picks_total", "Predictions picked for a label", ["stream"])
PUTS = Counter("relearn_monitoring_puts_total", "Picked inputs by what datasets said", ["outcome"])
ALERTS = Counter("relearn_monitoring_alerts_total", "Alerts by what happened to them", ["kind", "event"])
PAIRS = Counter("relearn_monitoring_shadow_pairs_total", "Pairs of champion and shadow", ["answer"])
PREDICTION_TO_FLAG_S = Histogram(
    "relearn_monitoring_prediction_to_flag_seconds",
    "From a prediction to its flag",
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
