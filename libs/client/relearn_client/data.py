"""Dataset versions and samples."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from relearn.datasets.v1 import dataset_version_pb2
from relearn.datasets.v1 import datasets_service_pb2 as pb
from relearn_client import pages
from relearn_client.calls import Calls
from relearn_client.times import when

USES = {
    dataset_version_pb2.USE_TRAIN: "train",
    dataset_version_pb2.USE_VALIDATION: "validation",
    dataset_version_pb2.USE_TEST: "test",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Labeled samples by use (train, validation, test) and by origin (imported, and the streams)."""

    train: int
    validation: int
    test: int
    imported: int
    audit: int
    selected: int
    disagreement: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersion:
    """An immutable snapshot: `counts` of all it holds, `new_counts` and `relabeled` of what its commit changed."""

    dataset_version_id: str
    project_id: str
    number: int
    digest: str
    counts: Counts
    new_counts: Counts
    relabeled: int
    message: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelChange:
    """One sample whose label differs; `label_id` is empty where it was imported.

    Labels are classes of the whole sample; empty ones mean none, or regions.
    """

    sample_id: str
    old_label: str
    new_label: str
    label_id: str
    use: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """What changed from one version to another."""

    added: int
    removed: int
    relabeled: int
    changes: tuple[LabelChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One input with its bytes; annotators see it without label and origin.

    `label` is the class of the whole sample; empty without a label, and where that is regions.
    """

    sample_id: str
    project_id: str
    media_type: str
    use: str
    label: str
    origin: str
    content: bytes


def versions(calls: Calls, project_id: str, *, limit: int | None) -> tuple[DatasetVersion, ...]:
    """Versions of a project, newest first."""

    def page(token: str) -> pb.ListVersionsResponse:
        request = pb.ListVersionsRequest(project_id=project_id, page_size=pages.PAGE, page_token=token)
        return calls.ask("datasets", calls.datasets.ListVersions, request)

    return tuple(version(one) for one in pages.every(page, lambda found: found.dataset_versions, limit=limit))


def diff(calls: Calls, older: str, newer: str) -> Diff:
    """What changed between two versions of a project."""
    responses: list[pb.DiffResponse] = []

    def page(token: str) -> pb.DiffResponse:
        request = pb.DiffRequest(
            from_dataset_version_id=older, to_dataset_version_id=newer, page_size=pages.PAGE, page_token=token
        )
        responses.append(calls.ask("datasets", calls.datasets.Diff, request))
        return responses[-1]

    changes = tuple(_change(one) for one in pages.every(page, lambda found: found.changes))
    first = responses[0]
    return Diff(added=first.added, removed=first.removed, relabeled=first.relabeled, changes=changes)


def describe(calls: Calls, sample_id: str) -> Sample:
    """One sample, its `content` left out.

    Raises:
        NotFound: there is none.
    """
    return _sample(calls, pb.GetSampleRequest(sample_id=sample_id))


def sample(calls: Calls, sample_id: str) -> Sample:
    """One sample with its bytes."""
    return _sample(calls, pb.GetSampleRequest(sample_id=sample_id, with_content=True))


def _sample(calls: Calls, request: pb.GetSampleRequest) -> Sample:
    response = calls.ask("datasets", calls.datasets.GetSample, request)
    found = response.sample
    return Sample(
        sample_id=found.sample_id,
        project_id=found.project_id,
        media_type=found.media_type,
        use=USES.get(found.use, ""),
        label=found.label,
        origin=found.origin,
        content=response.content,
    )


def version(message: dataset_version_pb2.DatasetVersion) -> DatasetVersion:
    """A version of the wire."""
    return DatasetVersion(
        dataset_version_id=message.dataset_version_id,
        project_id=message.project_id,
        number=message.number,
        digest=message.digest,
        counts=_counts(message.counts),
        new_counts=_counts(message.new_counts),
        relabeled=message.relabeled,
        message=message.message,
        created_at=when(message.create_time),
    )


def _counts(message: dataset_version_pb2.LabelCounts) -> Counts:
    return Counts(
        train=message.train,
        validation=message.validation,
        test=message.test,
        imported=message.imported,
        audit=message.audit,
        selected=message.selected,
        disagreement=message.disagreement,
    )


def _change(message: pb.LabelChange) -> LabelChange:
    return LabelChange(
        sample_id=message.sample_id,
        old_label=message.old_label,
        new_label=message.new_label,
        label_id=message.label_id,
        use=USES.get(message.use, ""),
    )
