"""What training keeps: tables, queries and the transaction; rules are in `domain`."""

from relearn_training.store.transaction import Transaction

__all__ = ["Transaction"]
