"""The registry of Relearn: projects, model versions, the gate, aliases, lineage and why."""
