"""Every metric that the registry emits. An id is never a label."""

from __future__ import annotations

from prometheus_client import Counter

JUDGEMENTS = Counter("relearn_registry_judgements_total", "What the gate said", ["step", "verdict"])
VERSIONS = Counter("relearn_registry_model_versions_total", "Model versions registered")
FILE_FAILURES = Counter(
    "relearn_registry_file_failures_total", "Attempts to copy or read model files that failed", ["reason"]
)
