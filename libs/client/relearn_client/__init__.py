"""The Python SDK of Relearn: `from relearn_client import Relearn`."""

from relearn_client.client import Relearn
from relearn_client.data import Counts, DatasetVersion, Diff, LabelChange, Sample
from relearn_client.endpoints import Endpoints
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
from relearn_client.imports import Imported, NewSample
from relearn_client.label_export import LabelsExported
from relearn_client.label_files import LabelsImported
from relearn_client.labeling import LabelTask, Submitted, Task
from relearn_client.models import Judgement, Measurement, ModelVersion, RolledBack, Route, RouteChange
from relearn_client.parked import Parked, ParkedContent, ParkedEvent
from relearn_client.projects import Project
from relearn_client.studies import Run, Study
from relearn_client.tracing import Stage, Trace, TraceEdge, TraceNode
from relearn_client.watching import Alert, LabelBudget, Monitoring, Quality, WatchedVersion, Window

__all__ = [
    "Relearn", "Endpoints",
    "Project",
    "NewSample", "Imported", "Sample", "DatasetVersion", "Counts", "Diff", "LabelChange",
    "Task", "LabelTask", "Submitted", "LabelsImported", "LabelsExported",
    "Study", "Run", "Measurement",
    "ModelVersion", "Judgement", "Route", "RouteChange", "RolledBack",
    "Monitoring", "WatchedVersion", "LabelBudget", "Alert", "Quality", "Window",
    "Stage", "Trace", "TraceNode", "TraceEdge",
    "Parked", "ParkedEvent", "ParkedContent",
    "RelearnError",
    "InvalidInput", "NotFound", "WrongState", "Conflict",
    "Unavailable", "NotAllowed", "BudgetExhausted", "NotConfigured",
]  # fmt: skip
