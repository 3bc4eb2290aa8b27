"""The memory of Relearn: samples named by their bytes, labels as facts, dataset versions that never change."""
