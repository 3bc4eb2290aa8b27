"""Each service's own copy of the projects, kept by the runtime from ProjectApplied."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn.registry.v1.project_pb2 import Project
from relearn_runtime.driver import driver
from relearn_runtime.errors import NotFound, NotYetKnown
from relearn_runtime.schema import projects


class UnknownProject(NotFound):
    """No project of this name was ever applied."""

    reason = "PROJECT_NOT_FOUND"


class Projects:
    """The copy, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, project_id: str) -> Project:
        """The project, for event handlers.

        Raises:
            NotYetKnown: not applied yet as far as this service has heard; the event waits.
        """
        if (project := await self._find(project_id)) is None:
            raise NotYetKnown(f"project {project_id!r} is not known yet", project_id=project_id)
        return project

    async def require(self, project_id: str) -> Project:
        """The project, for RPCs.

        Raises:
            NotFound: PROJECT_NOT_FOUND.
        """
        if (project := await self._find(project_id)) is None:
            raise UnknownProject(f"there is no project {project_id!r}", project_id=project_id)
        return project

    async def all(self) -> list[Project]:
        """Every project, by name."""
        rows = await self._connection.execute(sa.select(projects.c.body).order_by(projects.c.project_id))
        return [Project.FromString(body) for (body,) in rows]

    async def save(self, project: Project) -> bool:
        """Keeps the project unless a newer revision is here; False when it was older."""
        new = insert(projects).values(
            project_id=project.project_id, revision=project.revision, body=project.SerializeToString()
        )
        newer = {"revision": new.excluded.revision, "body": new.excluded.body, "updated_at": sa.func.now()}
        upsert = new.on_conflict_do_update(
            index_elements=[projects.c.project_id], set_=newer, where=projects.c.revision <= new.excluded.revision
        )
        saved = await self._connection.execute(upsert.returning(projects.c.project_id))
        return saved.first() is not None

    async def _find(self, project_id: str) -> Project | None:
        query = "select body from projects where project_id = $1"
        body = await (await driver(self._connection)).fetchval(query, project_id)
        return None if body is None else Project.FromString(body)
