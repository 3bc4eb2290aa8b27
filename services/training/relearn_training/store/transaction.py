"""One transaction of training: the runtime's, with training's repositories."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

import relearn_runtime
from relearn_training.store.situations import Situations
from relearn_training.store.studies import Studies


class Transaction(relearn_runtime.Transaction):
    """Also has what is known of projects, and the studies with their runs."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self.situations = Situations(connection)
        self.studies = Studies(connection)
