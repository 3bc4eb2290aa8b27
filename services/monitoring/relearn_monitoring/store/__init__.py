"""The tables of monitoring and one repository for each thing it keeps."""

from relearn_monitoring.store.transaction import Transaction, Wakes

__all__ = ["Transaction", "Wakes"]
