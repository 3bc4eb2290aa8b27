"""Domain to protobuf and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from relearn.datasets.v1 import dataset_version_pb2, datasets_service_pb2, events_pb2, sample_pb2
from relearn.labeling.v1.events_pb2 import LabelAccepted
from relearn.monitoring.v1 import flag_pb2
from relearn.registry.v1.project_pb2 import (
    INPUT_KIND_AUDIO,
    INPUT_KIND_IMAGE,
    INPUT_KIND_TEXT,
    INPUT_KIND_UNSPECIFIED,
    INPUT_KIND_VIDEO,
    REGION_KIND_WHOLE,
    Project,
)
from relearn_datasets.domain.commits import Counts, Version
from relearn_datasets.domain.diffs import Step
from relearn_datasets.domain.labels import AcceptedLabel, CommitPolicy, LabelSet, LabelState
from relearn_datasets.domain.samples import Draw, Sample, Stream, Use, parse_sample_id, sample_id
from relearn_datasets.domain.uses import Shares
from relearn_datasets.domain.values import LabelValue
from relearn_datasets.label_values import label_regions, label_value
from relearn_media import Modality
from relearn_runtime import Event
from relearn_runtime.errors import InvalidInput

MOST_LABEL_IDS = 10_000
"""So many causes of one commit are named in its event; all of them are in the log."""

USES = {
    None: dataset_version_pb2.USE_UNSPECIFIED,
    Use.TRAIN: dataset_version_pb2.USE_TRAIN,
    Use.VALIDATION: dataset_version_pb2.USE_VALIDATION,
    Use.TEST: dataset_version_pb2.USE_TEST,
}
STREAMS = {
    Stream.IMPORTED: flag_pb2.STREAM_UNSPECIFIED,
    Stream.AUDIT: flag_pb2.STREAM_AUDIT,
    Stream.SELECTED: flag_pb2.STREAM_SELECTED,
    Stream.DISAGREEMENT: flag_pb2.STREAM_DISAGREEMENT,
}
MODALITIES = {
    INPUT_KIND_UNSPECIFIED: Modality.IMAGE,
    INPUT_KIND_IMAGE: Modality.IMAGE,
    INPUT_KIND_TEXT: Modality.TEXT,
    INPUT_KIND_AUDIO: Modality.AUDIO,
    INPUT_KIND_VIDEO: Modality.VIDEO,
}
_STREAM_OF: dict[int, Stream] = {number: stream for stream, number in STREAMS.items() if stream is not Stream.IMPORTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPolicy:
    """What datasets wants to know of a project."""

    project_id: str
    revision: int
    modality: Modality
    label_set: LabelSet
    shares: Shares
    commit: CommitPolicy


def policy(project: Project) -> ProjectPolicy:
    """The project's policy; registry has filled the defaults in, what is missing all the same gets them here."""
    found = project.datasets
    after = found.commit_after.ToTimedelta() if found.HasField("commit_after") else timedelta(seconds=30)
    return ProjectPolicy(
        project_id=project.project_id,
        revision=project.revision,
        modality=MODALITIES.get(project.input_kind, Modality.IMAGE),
        label_set=_label_set(project),
        shares=Shares(
            validation=found.validation_share if found.HasField("validation_share") else 0.25, test=found.test_share
        ),
        commit=CommitPolicy(labels=found.commit_labels if found.HasField("commit_labels") else 50, after=after),
    )


def _label_set(project: Project) -> LabelSet:
    kinds = set(project.label_set.region_kinds) or {REGION_KIND_WHOLE}
    return LabelSet(
        version=project.label_set.version,
        classes=frozenset(project.label_set.classes),
        whole=REGION_KIND_WHOLE in kinds,
        one_class=kinds == {REGION_KIND_WHOLE} and not project.label_set.multi_label,
    )


def draw(stream: int, probability: float | None) -> Draw | None:
    """Why a label is wanted; None for no stream, or for one that this service does not know.

    Raises:
        InvalidInput: a stream whose probability is missing or no probability.
    """
    if (known := _STREAM_OF.get(stream)) is None:
        return None
    if probability is None or not 0 < probability <= 1:
        raise InvalidInput(f"probability must be in (0, 1] for a sample picked by {known.value}, got {probability}")
    return Draw(stream=known, probability=probability)


def put_draw(request: datasets_service_pb2.PutSampleRequest) -> Draw | None:
    """Why the label of a sample that is put is wanted.

    Raises:
        InvalidInput: an unknown stream, or a stream and probability that do not go together.
    """
    probability = request.probability if request.HasField("probability") else None
    found = draw(request.stream, probability)
    if found is None and request.stream != flag_pb2.STREAM_UNSPECIFIED:
        raise InvalidInput(f"stream {request.stream} is not known")
    if found is None and probability is not None:
        raise InvalidInput("a probability was given without a stream")
    return found


def accepted_label(event: Event[LabelAccepted], *, received_at: datetime) -> AcceptedLabel:
    """The label that an event tells.

    Raises:
        UnsupportedLabel: a region of no part that this service knows.
        InvalidInput: ids that are missing, or a sample of another project.
    """
    label = event.message.label
    project_id, sha256 = parse_sample_id(label.sample_id)
    if project_id != label.project_id:
        raise InvalidInput(f"label of project {label.project_id!r} for sample {label.sample_id}")
    if not label.label_id or not event.message.label_task_id:
        raise InvalidInput("label_id and label_task_id are required")
    draws = (draw(flag.stream, flag.probability) for flag in event.message.flags)
    return AcceptedLabel(
        label_id=label.label_id,
        project_id=project_id,
        sha256=sha256,
        label=label_value(label.regions),
        label_set_version=label.label_set_version,
        revision=event.message.revision,
        draw=next((found for found in draws if found), None),
        event_id=event.id,
        state=LabelState.WAITING,
        received_at=received_at,
    )


def sample(found: Sample) -> sample_pb2.Sample:
    """A sample with all that is known of it."""
    return sample_pb2.Sample(
        sample_id=found.sample_id,
        project_id=found.project_id,
        sha256=found.content.sha256.hex(),
        size_bytes=found.content.size_bytes,
        media_type=found.content.media_type,
        group_key=found.group_key,
        use=USES[found.use],
        stream=STREAMS[found.draw.stream] if found.draw else flag_pb2.STREAM_UNSPECIFIED,
        probability=found.draw.probability if found.draw else None,
        origin=found.origin,
        label=_class_name(found.label),
        regions=label_regions(found.label),
        create_time=_timestamp(found.created_at),
    )


def sample_for_annotator(found: Sample) -> sample_pb2.Sample:
    """A sample without what could sway an answer: its label, and what tells why it is asked."""
    told = sample(found)
    for name in ("label", "regions", "stream", "probability", "origin", "use", "group_key"):
        told.ClearField(name)
    return told


def dataset_version(version: Version) -> dataset_version_pb2.DatasetVersion:
    """A version."""
    return dataset_version_pb2.DatasetVersion(
        dataset_version_id=version.dataset_version_id,
        project_id=version.project_id,
        number=version.number,
        parent_dataset_version_id=version.parent_id or "",
        digest=version.digest.hex(),
        counts=label_counts(version.counts),
        new_counts=label_counts(version.new_counts),
        relabeled=version.relabeled,
        message=version.message,
        create_time=_timestamp(version.created_at),
    )


def version_committed(version: Version, *, label_ids: Sequence[str] = ()) -> events_pb2.VersionCommitted:
    """The event of a commit."""
    return events_pb2.VersionCommitted(
        dataset_version=dataset_version(version),
        project_id=version.project_id,
        label_ids=label_ids[:MOST_LABEL_IDS],
        import_id=version.import_id or "",
        project_revision=version.project_revision,
    )


def label_counts(counts: Counts) -> dataset_version_pb2.LabelCounts:
    """Counts by use and by stream."""
    return dataset_version_pb2.LabelCounts(
        train=counts.of_use(Use.TRAIN),
        validation=counts.validation,
        test=counts.of_use(Use.TEST),
        imported=counts.of_stream(Stream.IMPORTED),
        audit=counts.of_stream(Stream.AUDIT),
        selected=counts.of_stream(Stream.SELECTED),
        disagreement=counts.of_stream(Stream.DISAGREEMENT),
    )


def label_change(project_id: str, step: Step, use: Use | None) -> datasets_service_pb2.LabelChange:
    """One line of a diff."""
    return datasets_service_pb2.LabelChange(
        sample_id=sample_id(project_id, step.sha256),
        old_label=_class_name(step.old_label),
        new_label=_class_name(step.new_label),
        label_id=step.new_label_id or "",
        use=USES[use],
        old_regions=label_regions(step.old_label),
        new_regions=label_regions(step.new_label),
    )


def _class_name(label: LabelValue | None) -> str:
    return (label and label.class_name) or ""


def _timestamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
