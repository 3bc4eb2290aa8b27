"""Projects on the wire: policies as values by path, in both directions."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Any

from google.protobuf.message import Message

from relearn.registry.v1 import project_pb2 as pb
from relearn_registry.domain import step_one, step_two
from relearn_registry.domain.label_sets import Attribute, LabelSet
from relearn_registry.domain.project_rules import PATHS, Value, with_defaults
from relearn_registry.domain.projects import AppliedProject, ProjectState, Proposal
from relearn_registry.wire.times import moment, timestamp

_REGION_KIND = pb.RegionKind.DESCRIPTOR
STATES = {ProjectState.ACTIVE: pb.Project.STATE_ACTIVE, ProjectState.PAUSED: pb.Project.STATE_PAUSED}


def proposal(project: pb.Project) -> Proposal:
    """What somebody wants; output-only fields are ignored."""
    found = {path: value for path in PATHS if (value := _value(project, path)) is not None}
    return Proposal(
        project_id=project.project_id,
        input_kind=str(_value(project, "input_kind") or "left out"),
        label_set=_label_set(project.label_set),
        values=found,
    )


def applied_project(project: pb.Project) -> AppliedProject:
    """The value of a stored project."""
    return AppliedProject(
        proposal=proposal(project),
        revision=project.revision,
        state=ProjectState.PAUSED if project.state == pb.Project.STATE_PAUSED else ProjectState.ACTIVE,
        label_set_version=project.label_set.version,
        created_at=moment(project.create_time),
        updated_at=moment(project.update_time),
    )


def project(applied: AppliedProject) -> pb.Project:
    """The message of an applied project, defaults shown."""
    wanted = applied.proposal
    message = pb.Project(
        project_id=applied.project_id,
        label_set=_label_set_message(wanted.label_set, version=applied.label_set_version),
        revision=applied.revision,
        state=STATES[applied.state],
        create_time=timestamp(applied.created_at),
        update_time=timestamp(applied.updated_at),
    )
    _put(message, "input_kind", wanted.input_kind)
    for path, value in wanted.values.items():
        _put(message, path, value)
    return message


def is_paused(project: pb.Project) -> bool:
    """Whether nothing new may start by itself."""
    return project.state == pb.Project.STATE_PAUSED


def step_one_limits(project: pb.Project) -> step_one.Limits:
    """The numbers of gate step 1."""
    return step_one.Limits(
        first_margin=_number(project, "promotion.first_margin"),
        max_loss=_number(project, "promotion.max_loss"),
        max_class_loss=_number(project, "promotion.max_class_loss"),
    )


def step_two_policy(project: pb.Project) -> step_two.Policy:
    """The numbers of gate step 2."""
    not_worse = project.promotion.requirement == pb.PromotionPolicy.REQUIREMENT_NOT_WORSE
    return step_two.Policy(
        requirement=step_two.Requirement.NOT_WORSE if not_worse else step_two.Requirement.BETTER,
        per_look=int(_number(project, "promotion.disagreements_per_look")),
        significance=_number(project, "promotion.significance"),
        deadline=timedelta(seconds=_number(project, "promotion.deadline")),
    )


def waits_for_approval(project: pb.Project) -> bool:
    """Whether a person has the last word."""
    return project.promotion.approval == pb.PromotionPolicy.APPROVAL_MANUAL


def _label_set(message: pb.LabelSet) -> LabelSet:
    return LabelSet(
        classes=tuple(message.classes),
        kinds=tuple(_word(_REGION_KIND, number) or "left out" for number in message.region_kinds),
        multi_label=message.multi_label,
        transcripts=message.transcripts,
        attributes=tuple(
            Attribute(name=spec.name, values=tuple(spec.values), classes=tuple(spec.classes), required=spec.required)
            for spec in message.attributes
        ),
    )


def _label_set_message(label_set: LabelSet, *, version: int) -> pb.LabelSet:
    return pb.LabelSet(
        version=version,
        classes=label_set.classes,
        region_kinds=[_REGION_KIND.values_by_name[_prefix(_REGION_KIND) + kind].number for kind in label_set.kinds],
        multi_label=label_set.multi_label,
        transcripts=label_set.transcripts,
        attributes=[
            pb.AttributeSpec(
                name=attribute.name, values=attribute.values, classes=attribute.classes, required=attribute.required
            )
            for attribute in label_set.attributes
        ],
    )


def _number(project: pb.Project, path: str) -> float:
    """A number of a stored project; what was stored before a field existed has the field's default."""
    value = _value(project, path)
    if value is None:
        value = with_defaults({})[path]
    return float(value) if isinstance(value, (int, float)) else math.nan


def _value(message: Message, path: str) -> Value | None:
    """What a field holds; None when it was left out."""
    name, _, rest = path.partition(".")
    field = message.DESCRIPTOR.fields_by_name[name]
    content: Any = getattr(message, name)
    if rest:
        return _value(content, rest) if message.HasField(name) else None
    if field.is_repeated:
        return tuple(content)
    if field.enum_type is not None:
        return _word(field.enum_type, content)
    if field.has_presence and not message.HasField(name):
        return None
    if field.message_type is not None:  # a Duration
        return float(content.seconds + content.nanos / 1e9)
    plain: int | float | str = content
    return None if plain == "" else plain


def _put(message: Message, path: str, value: Value) -> None:
    name, _, rest = path.partition(".")
    field = message.DESCRIPTOR.fields_by_name[name]
    content: Any = getattr(message, name)
    if rest:
        _put(content, rest, value)
    elif field.is_repeated:
        content.extend(value)
    elif field.enum_type is not None:
        setattr(message, name, field.enum_type.values_by_name[_prefix(field.enum_type) + str(value)].number)
    elif field.message_type is not None and isinstance(value, (int, float)):
        content.FromNanoseconds(round(value * 1e9))
    else:
        setattr(message, name, value)


def _word(enum: Any, number: int) -> str | None:
    """`ACCURACY` of METRIC_ACCURACY; None for the value that means "left out"."""
    known = enum.values_by_number.get(number)
    if known is None:
        return f"number {number}"
    return str(known.name).removeprefix(_prefix(enum)) if number else None


def _prefix(enum: Any) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", enum.name).upper() + "_"
