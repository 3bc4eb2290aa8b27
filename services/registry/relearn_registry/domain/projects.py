"""A project as somebody wants it, and as it was applied."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from relearn_registry.domain.project_rules import Value, problems, with_defaults
from relearn_runtime.errors import InvalidInput, WrongState

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
INPUT_KINDS = ("IMAGE",)
_MOST_PROBLEMS = 20


class InvalidProject(InvalidInput):
    """A project that can't be; the metadata name the fields by their paths."""

    reason = "INVALID_PROJECT"


class LabelSetFixed(WrongState):
    """The classes of an existing project can't change."""

    reason = "LABEL_SET_FIXED"


class ReasonMissing(InvalidInput):
    """A person did something by hand and didn't say why."""

    reason = "REASON_MISSING"


class ProjectState(Enum):
    """Whether the loop runs by itself."""

    ACTIVE = "active"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What somebody wants a project to be; `values` holds the policies by path (`training.trials`)."""

    project_id: str
    input_kind: str
    classes: tuple[str, ...]
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedProject:
    """A project that is: a proposal with its defaults, and how it came to be."""

    proposal: Proposal
    revision: int
    state: ProjectState
    label_set_version: int
    created_at: datetime
    updated_at: datetime

    @property
    def project_id(self) -> str:
        """Its name."""
        return self.proposal.project_id


def apply(current: AppliedProject | None, proposal: Proposal, *, now: datetime) -> AppliedProject:
    """The project after somebody applied a proposal; the very same value when nothing changes.

    Raises:
        InvalidProject: the problems by path, at most 20 of them.
        LabelSetFixed: other classes than before.
    """
    complete = _checked(proposal)
    if current is None:
        return AppliedProject(
            proposal=complete,
            revision=1,
            state=ProjectState.ACTIVE,
            label_set_version=1,
            created_at=now,
            updated_at=now,
        )
    if complete.classes != current.proposal.classes:
        raise LabelSetFixed(
            f"the classes of {proposal.project_id} are fixed: {', '.join(current.proposal.classes)}; "
            "apply other classes as a new project",
            project_id=proposal.project_id,
        )
    if complete == current.proposal:
        return current
    return replace(current, proposal=complete, revision=current.revision + 1, updated_at=now)


def moved_to(current: AppliedProject, state: ProjectState, *, reason: str, now: datetime) -> AppliedProject:
    """The project paused or resumed; the very same value when it is so already.

    Raises:
        ReasonMissing: nobody said why.
    """
    require_reason(reason)
    if current.state is state:
        return current
    return replace(current, state=state, revision=current.revision + 1, updated_at=now)


def require_reason(reason: str) -> None:
    """Raises ReasonMissing unless somebody said why."""
    if not reason.strip():
        raise ReasonMissing("say why: reason is empty", reason="required")


def _checked(proposal: Proposal) -> Proposal:
    found = {**_identity(proposal), **_classes(proposal.classes), **problems(proposal.values)}
    if found:
        told = {path: found[path] for path in sorted(found, key=_by_number)[:_MOST_PROBLEMS]}
        listed = "; ".join(f"{path}: {problem}" for path, problem in told.items())
        more = f"; and {len(found) - len(told)} more" if len(found) > len(told) else ""
        raise InvalidProject(f"the project can't be applied: {listed}{more}", **told)
    return replace(proposal, values=with_defaults(proposal.values))


def _by_number(path: str) -> list[str | int]:
    """Sorts `classes[2]` before `classes[10]`."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path)]


def _identity(proposal: Proposal) -> dict[str, str]:
    found = {}
    if not _NAME.fullmatch(proposal.project_id):
        found["project_id"] = (
            f"must be 1 to 40 of a-z, 0-9 and -, a letter first, is {proposal.project_id!r}"
            if proposal.project_id
            else "required"
        )
    if proposal.input_kind not in INPUT_KINDS:
        found["input_kind"] = f"must be one of {', '.join(INPUT_KINDS)}, is {proposal.input_kind}"
    return found


def _classes(classes: Sequence[str]) -> dict[str, str]:
    if not 2 <= len(classes) <= 1000:
        return {"label_set.classes": f"must be 2 to 1000 names, has {len(classes)}"}
    found, seen = {}, set()
    for i, name in enumerate(classes):
        path = f"label_set.classes[{i}]"
        if not name.strip():
            found[path] = "must not be blank"
        elif len(name) > 100:
            found[path] = f"must have at most 100 characters, has {len(name)}"
        elif not name.isprintable():
            found[path] = f"must be printable: {name!r}"
        elif name in seen:
            found[path] = f"is there twice: {name!r}"
        seen.add(name)
    return found
