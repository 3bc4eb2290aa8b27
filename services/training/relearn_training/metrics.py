"""Every metric that training emits. An id is never a label."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (1, 2, 5, 10, 20, 40, 80, 160, 320, 640, 1800, 3600, 4 * 3600)

DECISIONS = Counter("relearn_training_decisions_total", "Decisions of the policy", ["decision"])
STUDIES = Counter("relearn_training_studies_total", "Studies that ended", ["trigger", "state"])
STUDY_S = Histogram("relearn_training_study_seconds", "From StudyStarted to StudyFinished", buckets=_SECONDS)
RUNS = Counter("relearn_training_runs_total", "Runs that ended", ["family", "state"])
RUN_S = Histogram("relearn_training_run_seconds", "Wall time of a run", ["family"], buckets=_SECONDS)
LEFT_OUT = Counter("relearn_training_samples_left_out_total", "Samples of packs that could not be used", ["reason"])
CHILDREN = Gauge("relearn_training_children", "Child processes now", ["kind"])
