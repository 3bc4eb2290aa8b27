"""Every metric that datasets emits; a project is no label, for there may be many."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)

COMMITS = Counter("relearn_datasets_commits_total", "Dataset versions committed", ["cause"])
COMMIT_DURATION = Histogram(
    "relearn_datasets_commit_duration_seconds", "Transaction that makes a version", ["cause"], buckets=_SECONDS
)
LABEL_WAIT = Histogram(
    "relearn_datasets_label_wait_seconds", "From the arrival of a commit's oldest label to the commit", buckets=_SECONDS
)
IMPORTED = Counter("relearn_datasets_imported_samples_total", "Samples received by imports", ["outcome"])
PACK_DURATION = Histogram("relearn_datasets_pack_duration_seconds", "Making one pack", buckets=_SECONDS)
