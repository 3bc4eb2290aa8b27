"""What the answers to a task say together: the one seam between the answers of people and a label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from relearn_labeling.domain.regions import LabelSet, Region
from relearn_labeling.domain.tasks import Annotation, Policy, Truth
from relearn_labeling.domain.truth.matching import likeness
from relearn_labeling.domain.truth.merging import merged
from relearn_labeling.domain.truth.skills import ABSENT, Crowd, unknown_crowd
from relearn_labeling.domain.truth.things import Thing, things
from relearn_labeling.domain.truth.units import PRESENT, values_of, votes_on

ENOUGH = 0.5
"""Agreement that a majority needs more than, and likeness from which an answer agrees with the label."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Consensus:
    """What a label will say.

    Attributes:
        annotation_ids: the answers that agree with it, oldest first.
        agreement: share of the answers that agree, 0..1; where answers can agree in part, the mean of what they share.
        posterior: probability that it is right, 0..1, of several regions or classes that of the least certain one; None
            with majority.
    """

    regions: tuple[Region, ...]
    annotation_ids: tuple[str, ...]
    agreement: float
    posterior: float | None = None


def consensus(
    annotations: Sequence[Annotation], *, label_set: LabelSet, policy: Policy, crowd: Crowd | None = None
) -> Consensus | None:
    """What the answers say together; None when they don't agree, or not surely enough.

    A thing is in the label when more than half of the answers have it, with the class that most of those give. With
    posteriors it is in the label when of all that was said of it the likeliest is a class, and the label needs the
    project's `min_posterior`. The order of the answers decides nothing but the order of regions.

    Args:
        annotations: all of one task, oldest first.
        label_set: of the task's version.
        crowd: what is known of the annotators, over `values_of(label_set)`; None: nothing is.
    """
    if not annotations:
        return None
    if len(annotations) == 1 and policy.truth is Truth.MAJORITY:  # it has nobody to agree with but itself
        (only,) = annotations
        return Consensus(regions=only.regions, annotation_ids=(only.id,), agreement=1.0)
    found = things([annotation.regions for annotation in annotations], label_set=label_set, iou=policy.iou)
    if policy.truth is Truth.MAJORITY:
        return _by_majority(annotations, found, label_set=label_set, policy=policy)
    crowd = crowd or unknown_crowd(values_of(label_set))
    return _by_posterior(annotations, found, crowd=crowd, label_set=label_set, policy=policy)


def _by_majority(
    annotations: Sequence[Annotation], found: Sequence[Thing], *, label_set: LabelSet, policy: Policy
) -> Consensus | None:
    if label_set.multi_label and any(2 * len(thing.members) == len(annotations) for thing in found):
        return None  # of a class that half give the sample is as likely as not
    classes = [_voted(thing, of=len(annotations)) for thing in found]
    said = _consensus(annotations, found, classes, weights=[1.0] * len(annotations), policy=policy)
    return said if said.agreement > ENOUGH else None


def _by_posterior(
    annotations: Sequence[Annotation], found: Sequence[Thing], *, crowd: Crowd, label_set: LabelSet, policy: Policy
) -> Consensus | None:
    annotators = [annotation.annotator for annotation in annotations]
    likeliest = [_likeliest(thing, annotators, label_set=label_set, crowd=crowd) for thing in found]
    nothing = crowd.posterior([(annotator, ABSENT) for annotator in annotators]).get(ABSENT, 0.0)
    posterior = min((certainty for _, certainty in likeliest), default=nothing)
    if posterior < policy.min_posterior - _ROUNDING:
        return None
    weights = [crowd.skill(annotator).accuracy for annotator in annotators]
    said = _consensus(annotations, found, [name for name, _ in likeliest], weights=weights, policy=policy)
    if not said.annotation_ids or (label_set.transcripts and said.agreement <= ENOUGH):
        return None  # a label that nobody comes near; the posterior is of what a thing is, not of what is said in it
    return replace(said, posterior=posterior)


def _consensus(
    annotations: Sequence[Annotation],
    found: Sequence[Thing],
    classes: Sequence[str | None],
    *,
    weights: Sequence[float],
    policy: Policy,
) -> Consensus:
    """The label of things with their classes; a thing without one is not in it."""
    kept = [(thing, name) for thing, name in zip(found, classes, strict=True) if name is not None]
    regions = _distinct([_region(thing, name, weights) for thing, name in kept])
    alike = [likeness(annotation.regions, regions, iou=policy.iou) for annotation in annotations]
    agreeing = (annotation.id for annotation, one in zip(annotations, alike, strict=True) if one > ENOUGH)
    return Consensus(regions=regions, annotation_ids=tuple(agreeing), agreement=sum(alike) / len(alike))


def _voted(thing: Thing, *, of: int) -> str | None:
    """Its class by count; None where half of the answers or more don't have it, or no class leads."""
    if 2 * len(thing.members) <= of:
        return None
    ranked = Counter(region.class_name for region in thing.members.values()).most_common(2)
    return ranked[0][0] if len(ranked) == 1 or ranked[0][1] > ranked[1][1] else None


def _likeliest(
    thing: Thing, annotators: Sequence[str], *, label_set: LabelSet, crowd: Crowd
) -> tuple[str | None, float]:
    """The likeliest of what was said of it (None: that it isn't there), and the chance that this is true."""
    votes = votes_on(thing, annotators, label_set=label_set)
    chances = crowd.posterior(votes)
    said = Counter(value for _, value in votes)
    value = max(said, key=lambda value: (chances.get(value, 0.0), said[value], value))
    if value == PRESENT and label_set.multi_label:
        return next(iter(thing.members.values())).class_name, chances[value]
    return value or None, chances.get(value, 0.0)


def _region(thing: Thing, class_name: str, weights: Sequence[float]) -> Region:
    ours = {number: region for number, region in thing.members.items() if region.class_name == class_name}
    return merged(list(ours.values()), [weights[number] for number in ours])


def _distinct(regions: Sequence[Region]) -> tuple[Region, ...]:
    """The regions with names that are distinct within the label; annotators choose theirs without the others."""
    taken: set[str] = set()
    named = []
    for region in regions:
        name, number = region.id, 2
        while name and name in taken:
            name, number = f"{region.id[:58]}-{number}", number + 1
        taken.add(name)
        named.append(region if name == region.id else replace(region, id=name))
    return tuple(named)
