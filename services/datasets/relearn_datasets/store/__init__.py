"""Tables and queries of datasets, and its transaction. Rows are locked in one order: head, samples, groups, labels."""

from relearn_datasets.store.transaction import Transaction

__all__ = ["Transaction"]
