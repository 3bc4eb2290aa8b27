"""What labeling keeps: tables, queries and the transaction; rules are in `domain`."""

from relearn_labeling.store.transaction import Transaction

__all__ = ["Transaction"]
