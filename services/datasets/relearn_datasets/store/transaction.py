"""One transaction of datasets."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

import relearn_runtime
from relearn_datasets.store.commits import Commits
from relearn_datasets.store.labels import Labels
from relearn_datasets.store.packs import Packs
from relearn_datasets.store.samples import Groups, Samples
from relearn_datasets.store.staging import Staging


class Transaction(relearn_runtime.Transaction):
    """The runtime's transaction with the repositories of datasets."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self.groups = Groups(connection)
        self.samples = Samples(connection)
        self.commits = Commits(connection)
        self.labels = Labels(connection)
        self.staging = Staging(connection)
        self.packs = Packs(connection)
