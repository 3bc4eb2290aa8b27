"""Projects: applied from a file, shown, paused, resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from relearn.registry.v1 import project_pb2
from relearn.registry.v1 import registry_service_pb2 as pb
from relearn_client import pages, project_file
from relearn_client.calls import Calls, request_id
from relearn_client.times import when


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project as the registry holds it.

    Attributes:
        content: what a project file would say, defaults filled in: policies by owner, durations like `30s`.
        changed: whether applying it changed anything; False where nothing was applied.
    """

    project_id: str
    revision: int
    paused: bool
    classes: tuple[str, ...]
    label_set_version: int
    content: Mapping[str, Any]
    updated_at: datetime
    changed: bool = False


def apply(calls: Calls, source: str | Path | Mapping[str, Any]) -> Project:
    """Creates or changes a project from a file or its content."""
    request = pb.ApplyProjectRequest(project=project_file.read(source), request_id=request_id())
    response = calls.ask("registry", calls.registry.ApplyProject, request)
    return _project(response.project, changed=response.changed)


def get(calls: Calls, project_id: str) -> Project:
    """One project."""
    response = calls.ask("registry", calls.registry.GetProject, pb.GetProjectRequest(project_id=project_id))
    return _project(response.project)


def every(calls: Calls) -> tuple[Project, ...]:
    """All projects, by name."""

    def page(token: str) -> pb.ListProjectsResponse:
        request = pb.ListProjectsRequest(page_size=pages.PAGE, page_token=token)
        return calls.ask("registry", calls.registry.ListProjects, request)

    return tuple(_project(one) for one in pages.every(page, lambda response: response.projects))


def pause(calls: Calls, project_id: str, *, reason: str) -> Project:
    """Stops the loop of a project."""
    request = pb.PauseProjectRequest(project_id=project_id, reason=reason, request_id=request_id())
    return _project(calls.ask("registry", calls.registry.PauseProject, request).project)


def resume(calls: Calls, project_id: str, *, reason: str) -> Project:
    """Starts it again."""
    request = pb.ResumeProjectRequest(project_id=project_id, reason=reason, request_id=request_id())
    return _project(calls.ask("registry", calls.registry.ResumeProject, request).project)


def _project(message: project_pb2.Project, *, changed: bool = False) -> Project:
    return Project(
        project_id=message.project_id,
        revision=message.revision,
        paused=message.state == project_pb2.Project.STATE_PAUSED,
        classes=tuple(message.label_set.classes),
        label_set_version=message.label_set.version,
        content=project_file.shown(message),
        updated_at=when(message.update_time),
        changed=changed,
    )
