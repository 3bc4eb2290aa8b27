"""`relearn train`, `studies`, `models`, `promote`, `rollback`."""

from __future__ import annotations

from typing import Annotated

import typer

from relearn_client.client import Relearn
from relearn_client.command.output import AsJson, Reason, at, say, show_json, show_table

Name = Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")]
Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]


def train(
    project: Name,
    reason: Reason,
    version: Annotated[str, typer.Option("--version", help="Dataset version; the newest unless given.")] = "",
    as_json: AsJson = False,
) -> None:
    """Start a study by hand."""
    with Relearn() as relearn:
        study = relearn.train(project, reason=reason, dataset_version_id=version)
    if as_json:
        show_json(study)
    else:
        say(f"study {study.study_id} started on {study.dataset_version_id}: {study.trials} trials")
        say(f"`relearn studies {project}` shows how far it is")


def studies(project: Name, limit: Limit = 10, as_json: AsJson = False) -> None:
    """List studies, newest first."""
    with Relearn() as relearn:
        found = relearn.studies(project, limit=limit)
    if as_json:
        show_json(found)
        return
    rows = [(s.study_id, s.state, s.dataset_version_id, at(s.started_at), at(s.ended_at), s.reason) for s in found]
    empty = f"no study yet; `relearn why {project}` says what the first one waits for"
    show_table(("study", "state", "data", "started", "ended", "why"), rows, empty=empty)


def models(project: Name, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List model versions, newest first, and where each stands."""
    with Relearn() as relearn:
        found = relearn.models(project, limit=limit)
    if as_json:
        show_json(found)
        return
    rows = [
        (m.model_version_id, ", ".join(m.aliases) or "-", m.family, m.dataset_version_id, at(m.created_at), m.standing)
        for m in found
    ]
    empty = f"no model yet; `relearn why {project}` says what the first study waits for"
    show_table(("version", "alias", "family", "data", "registered", "stands"), rows, empty=empty)


def promote(
    version: Annotated[str, typer.Argument(help="Model version, such as fruit/model/3.")],
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Let a version into traffic by hand; it still goes by canary."""
    with Relearn() as relearn:
        judgement = relearn.promote(version, reason=reason)
    if as_json:
        show_json(judgement)
    else:
        say(f"{version}: {judgement.verdict} by {judgement.person}: {judgement.reason}")


def rollback(project: Name, reason: Reason, as_json: AsJson = False) -> None:
    """Bring the last good version back, at once, and bar the one that served."""
    with Relearn() as relearn:
        done = relearn.rollback(project, reason=reason)
    if as_json:
        show_json(done)
        return
    say(f"{done.route.champion} serves {project}; {done.acknowledged} gateways follow")
    if done.missing:
        say(f"{done.missing} gateways have not followed yet; `relearn status` shows whether they run")
