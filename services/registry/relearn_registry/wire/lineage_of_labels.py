"""What flags and labeling tell about lineage: nodes with a line for people, and edges from cause to effect.

Whatever an event names gets a node too, so that topics may race: `rank` 0 says only that it exists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from relearn.labeling.v1 import events_pb2 as labeling
from relearn.labeling.v1.label_task_pb2 import Label, Region
from relearn.monitoring.v1.flag_pb2 import Flag, Stream
from relearn_registry.domain.lineage import Edge, Facts, Node, Relation
from relearn_registry.wire.times import moment_if_set
from relearn_runtime import Event

_MOST_WORDS = 5
STREAMS = {
    Stream.STREAM_UNSPECIFIED: "no stream",
    Stream.STREAM_AUDIT: "audit",
    Stream.STREAM_SELECTED: "selected",
    Stream.STREAM_DISAGREEMENT: "disagreement",
}


def named(kind: str, project_id: str, *ids: str) -> Facts:
    """Things that an event only names; empty ids are nothing."""
    return Facts(nodes=tuple(Node(id=i, kind=kind, project_id=project_id) for i in ids if i))


def led_to(event_id: str, causes: Iterable[str], effect_id: str, relation: Relation = Relation.CAUSE) -> Facts:
    """Edges from each cause to one effect; empty ids are nothing."""
    pairs = [cause for cause in causes if cause and effect_id]
    return Facts(
        edges=tuple(Edge(cause_id=c, effect_id=effect_id, event_id=event_id, relation=relation) for c in pairs)
    )


def of_flag(flag: Flag, event_id: str) -> Facts:
    """sample -> prediction -> flag, and alert -> flag; for a disagreement, both predictions."""
    project, between = flag.project_id, flag.disagreement
    flagged_at, predicted_at = moment_if_set(flag.flag_time), moment_if_set(flag.predict_time)
    said = f"{flag.model_version_id} said {flag.predicted_label!r} with confidence {flag.confidence:.2f}"
    stream = STREAMS.get(flag.stream, f"stream {flag.stream}")
    why = f"{stream}, picked with probability {flag.probability:.3g}: {flag.reason}"
    nodes = [
        Node(
            id=flag.sample_id,
            kind="sample",
            project_id=project,
            summary="what was sent; its bytes are in datasets",
            occurred_at=predicted_at,
            rank=1,
        ),
        Node(
            id=flag.prediction_id,
            kind="prediction",
            project_id=project,
            summary=said,
            occurred_at=predicted_at,
            rank=1,
        ),
        Node(id=flag.flag_id, kind="flag", project_id=project, summary=why, occurred_at=flagged_at, rank=1),
    ]
    if between.challenger_prediction_id:
        beside = f"{between.challenger_model_version_id} said {between.challenger_label!r} in the shadow"
        shadow = Node(
            id=between.challenger_prediction_id,
            kind="prediction",
            project_id=project,
            summary=beside,
            occurred_at=predicted_at,
            rank=1,
        )
        nodes.append(shadow)
    predictions = (flag.prediction_id, between.challenger_prediction_id)
    facts = Facts(nodes=tuple(nodes)) + named("alert", project, flag.alert_id)
    for prediction in predictions:
        facts += led_to(event_id, [flag.sample_id], prediction)
    return facts + led_to(event_id, [*predictions, flag.alert_id], flag.flag_id)


def of_label_task(event: Event[labeling.LabelTaskOpened]) -> Facts:
    """flags -> label task."""
    task = event.message.label_task
    node = Node(
        id=task.label_task_id,
        kind="label task",
        project_id=task.project_id,
        summary=f"{task.overlap} answers wanted: {task.why}",
        occurred_at=moment_if_set(task.create_time),
        rank=1,
    )
    return Facts(nodes=(node,)) + _flags_of(task.flags, task.label_task_id, task.sample_id, event.id)


def of_annotation(event: Event[labeling.AnnotationSubmitted]) -> Facts:
    """label task -> annotation."""
    annotation, project = event.message.annotation, event.message.project_id
    node = Node(
        id=annotation.annotation_id,
        kind="annotation",
        project_id=project,
        summary=f"{annotation.annotator} answered {_words(annotation.regions)}",
        occurred_at=moment_if_set(annotation.create_time),
        rank=1,
    )
    task = annotation.label_task_id or event.message.label_task_id
    return (
        Facts(nodes=(node,)) + named("label task", project, task) + led_to(event.id, [task], annotation.annotation_id)
    )


def of_label(event: Event[labeling.LabelAccepted]) -> Facts:
    """flags -> label task -> annotations -> label."""
    label, task = event.message.label, event.message.label_task_id
    project = label.project_id
    agreeing = len(label.annotation_ids)
    node = Node(
        id=label.label_id,
        kind="label",
        project_id=project,
        summary=f"{_words(label.regions)} accepted, {agreeing} of {label.answers} answers agree",
        occurred_at=moment_if_set(label.accept_time),
        rank=1,
    )
    facts = Facts(nodes=(node,)) + _flags_of(event.message.flags, task, label.sample_id, event.id)
    facts += named("label task", project, task) + named("annotation", project, *label.annotation_ids)
    for annotation in label.annotation_ids:
        facts += led_to(event.id, [task], annotation)
    return facts + led_to(event.id, label.annotation_ids or [task], label.label_id)


def of_superseded_label(event: Event[labeling.LabelSuperseded]) -> Facts:
    """label -> the label that replaced it."""
    told = event.message
    return named("label", told.project_id, told.label_id, told.by_label_id) + led_to(
        event.id, [told.label_id], told.by_label_id
    )


def of_closed_task(event: Event[labeling.LabelTaskClosed]) -> Facts:
    """flags -> label task, which ended without a label."""
    task = event.message.label_task
    node = Node(
        id=event.message.label_task_id,
        kind="label task",
        project_id=task.project_id,
        summary=f"closed without a label after {task.answers} answers: {event.message.reason}",
        occurred_at=moment_if_set(task.create_time),
        rank=1 + event.message.revision,
    )
    return Facts(nodes=(node,)) + _flags_of(event.message.flags, node.id, task.sample_id, event.id)


def label_word(label: Label) -> str:
    """The class of a classification label; empty when it has none."""
    return label.regions[0].label if label.regions else ""


def _flags_of(flags: Iterable[Flag], task_id: str, sample_id: str, event_id: str) -> Facts:
    facts, flag_ids, project = Facts(), [], ""
    for flag in flags:
        facts += of_flag(flag, event_id)
        flag_ids.append(flag.flag_id)
        project = flag.project_id
    if not flag_ids:  # opened by hand
        facts += named("sample", project or sample_id.partition("/")[0], sample_id)
    return facts + led_to(event_id, flag_ids or [sample_id], task_id)


def _words(regions: Iterable[Region]) -> str:
    """The classes that an answer names, in short: an answer may have thousands of regions."""
    times = Counter(region.label for region in regions)
    words = [f"{n} x {label!r}" if n > 1 else repr(label) for label, n in times.most_common(_MOST_WORDS)]
    more = len(times) - len(words)
    return ", ".join(words) + (f" and {more} more" if more else "") or "nothing"
