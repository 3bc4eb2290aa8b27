"""Events that the tests send, in few words."""

from __future__ import annotations

from relearn.monitoring.v1.events_pb2 import ShadowCompared
from relearn.registry.v1.events_pb2 import ProjectApplied
from relearn.registry.v1.project_pb2 import Project


def compared(number: int, *, project_id: str = "p", wish: str = "") -> ShadowCompared:
    """The event that the ledger service writes down; `wish` is how its handler is to fare."""
    return ShadowCompared(project_id=project_id, pairs=number, stop_reason=wish)


def applied(project_id: str, *, revision: int = 1) -> ProjectApplied:
    """A project came, or changed."""
    return ProjectApplied(project=Project(project_id=project_id, revision=revision))
