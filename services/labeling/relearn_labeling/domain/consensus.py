"""What the answers to a task say together: the one seam between the answers of people and a label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from relearn_labeling.domain.regions import LabelSet, Region, RegionKind, statements
from relearn_labeling.domain.tasks import Annotation, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Consensus:
    """What a label will say.

    Attributes:
        annotation_ids: the answers that agree with it, oldest first.
        agreement: share of the answers that agree, 0..1; where answers can agree in part, the mean of what they share.
        posterior: probability that it is right, 0..1; None with majority.
    """

    regions: tuple[Region, ...]
    annotation_ids: tuple[str, ...]
    agreement: float
    posterior: float | None = None


def consensus(annotations: Sequence[Annotation], *, label_set: LabelSet, policy: Policy) -> Consensus | None:
    """What the answers say together; None when they don't agree.

    Args:
        annotations: all of one task, oldest first.
        label_set: of the task's version.
    """
    if not annotations:
        return None
    if label_set.multi_label:
        return _majority_of_each_class(annotations, label_set=label_set, policy=policy)
    if label_set.kinds == {RegionKind.WHOLE}:
        return _majority_class(annotations)
    return _majority_answer(annotations)


def _majority_class(annotations: Sequence[Annotation]) -> Consensus | None:
    """The class of the whole sample that more than half of the answers give, if any."""
    votes = Counter(annotation.regions[0].class_name for annotation in annotations)
    class_name, most = votes.most_common(1)[0]
    if 2 * most <= len(annotations):
        return None
    agreeing = [annotation for annotation in annotations if annotation.regions[0].class_name == class_name]
    return Consensus(
        regions=(_most_said([annotation.regions[0] for annotation in agreeing]),),
        annotation_ids=tuple(annotation.id for annotation in agreeing),
        agreement=most / len(annotations),
    )


def _majority_of_each_class(
    annotations: Sequence[Annotation], *, label_set: LabelSet, policy: Policy
) -> Consensus | None:
    """The classes that more than half of the answers give; a class that exactly half give is a dispute.

    So is a set that nobody's answer comes near: of three answers with one class each, none in common, every class is
    outvoted, and "no class" would be the label that nobody gave.
    """
    votes = Counter(region.class_name for annotation in annotations for region in annotation.regions)
    if any(2 * given == len(annotations) for given in votes.values()):
        return None
    chosen = [name for name in label_set.classes if 2 * votes[name] > len(annotations)]
    shared = [_jaccard({region.class_name for region in annotation.regions}, chosen) for annotation in annotations]
    agreeing = [annotation.id for annotation, share in zip(annotations, shared, strict=True) if share >= policy.iou]
    if not agreeing:
        return None
    given = [region for annotation in annotations for region in annotation.regions]
    return Consensus(
        regions=tuple(_most_said([region for region in given if region.class_name == name]) for name in chosen),
        annotation_ids=tuple(agreeing),
        agreement=sum(shared) / len(shared),
    )


def _majority_answer(annotations: Sequence[Annotation]) -> Consensus | None:
    """What more than half of the answers say to the letter, if any."""
    for candidate in annotations:
        said = statements(candidate.regions)
        agreeing = tuple(annotation.id for annotation in annotations if statements(annotation.regions) == said)
        if 2 * len(agreeing) > len(annotations):
            agreement = len(agreeing) / len(annotations)
            return Consensus(regions=candidate.regions, annotation_ids=agreeing, agreement=agreement)
    return None


def _most_said(regions: Sequence[Region]) -> Region:
    """Of regions of one class of the sample itself the one whose transcript and attributes are given most often."""
    said = Counter((region.transcript, region.attributes) for region in regions)
    return max(regions, key=lambda region: said[region.transcript, region.attributes])  # the oldest of equals


def _jaccard(classes: set[str], others: Sequence[str]) -> float:
    together = classes | set(others)
    return len(classes & set(others)) / len(together) if together else 1.0
