"""The Python SDK of Relearn: `from relearn_client import Relearn`."""

from relearn_client.client import Relearn
from relearn_client.errors import (
    BudgetExhausted,
    Conflict,
    InvalidInput,
    NotAllowed,
    NotConfigured,
    NotFound,
    RelearnError,
    Unavailable,
    WrongState,
)
from relearn_client.imports import NewSample

__all__ = [
    "Relearn",
    "NewSample",
    "RelearnError",
    "InvalidInput", "NotFound", "WrongState", "Conflict",
    "Unavailable", "NotAllowed", "BudgetExhausted", "NotConfigured",
]  # fmt: skip
