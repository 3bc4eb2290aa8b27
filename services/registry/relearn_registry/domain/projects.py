"""A project as somebody wants it, and as it was applied."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from relearn_registry.domain import label_sets
from relearn_registry.domain.label_sets import INPUT_KINDS, LabelSet
from relearn_registry.domain.project_rules import Value, problems, with_defaults
from relearn_runtime.errors import InvalidInput, WrongState

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_MOST_PROBLEMS = 20


class InvalidProject(InvalidInput):
    """A project that can't be; the metadata name the fields by their paths."""

    reason = "INVALID_PROJECT"


class LabelSetFixed(WrongState):
    """Models are trained on this label set, or on this kind of input: it can't change."""

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
    label_set: LabelSet
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
        LabelSetFixed: another kind of samples than before, or other classes or region kinds where models are trained.
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
    _check_fixed(current.proposal, complete)
    if complete == current.proposal:
        return current
    known = label_sets.with_defaults(current.proposal.label_set)  # stored, perhaps, before there were kinds
    return replace(
        current,
        proposal=complete,
        revision=current.revision + 1,
        label_set_version=current.label_set_version + (complete.label_set != known),
        updated_at=now,
    )


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


def _check_fixed(current: Proposal, wanted: Proposal) -> None:
    if wanted.input_kind != current.input_kind:
        raise LabelSetFixed(
            f"the samples of {wanted.project_id} are of kind {current.input_kind}; apply another kind as a new project",
            project_id=wanted.project_id,
        )
    trained = any(label_sets.is_trained_on(one.label_set, one.input_kind) for one in (current, wanted))
    if trained and label_sets.outputs_changed(current.label_set, wanted.label_set):
        raise LabelSetFixed(
            f"classes and region kinds of {wanted.project_id} are fixed, since models are trained on pictures with "
            f"exactly one class: {', '.join(current.label_set.classes)}; apply others as a new project",
            project_id=wanted.project_id,
        )


def _checked(proposal: Proposal) -> Proposal:
    label_set = label_sets.problems(proposal.label_set, proposal.input_kind)
    found = {**_identity(proposal), **label_set, **problems(proposal.values)}
    if found:
        told = {path: found[path] for path in sorted(found, key=_by_number)[:_MOST_PROBLEMS]}
        listed = "; ".join(f"{path}: {problem}" for path, problem in told.items())
        more = f"; and {len(found) - len(told)} more" if len(found) > len(told) else ""
        raise InvalidProject(f"the project can't be applied: {listed}{more}", **told)
    label_set_shown = label_sets.with_defaults(proposal.label_set)
    return replace(proposal, label_set=label_set_shown, values=with_defaults(proposal.values))


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
