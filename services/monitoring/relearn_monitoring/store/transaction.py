"""One transaction of monitoring: the runtime's, with monitoring's repositories."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

import relearn_runtime
from relearn_monitoring.store.alerts import Alerts
from relearn_monitoring.store.audits import Audits
from relearn_monitoring.store.comparisons import Comparisons, Disagreements
from relearn_monitoring.store.inputs import RecentPredictions, WaitingInputs
from relearn_monitoring.store.picks import Ledgers, Picks
from relearn_monitoring.store.projects import MonitoredProjects
from relearn_monitoring.store.watches import Detectors, References, Watches
from relearn_monitoring.store.windows import Windows


class Transaction(relearn_runtime.Transaction):
    """Also has all that is watched, and all that was picked."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self.monitored = MonitoredProjects(connection)
        self.watches = Watches(connection)
        self.detectors = Detectors(connection)
        self.references = References(connection)
        self.windows = Windows(connection)
        self.recent = RecentPredictions(connection)
        self.waiting = WaitingInputs(connection)
        self.picks = Picks(connection)
        self.ledgers = Ledgers(connection)
        self.audits = Audits(connection)
        self.alerts = Alerts(connection)
        self.comparisons = Comparisons(connection)
        self.disagreements = Disagreements(connection)
