"""What a label says, between the regions of the contract and the one form that is kept, compared and digested.

A label is compared by what it states: neither how its regions are named, nor how they came to be, nor who suggested
them, nor their order makes it another one. So those are left out, and what is left is put in order.
"""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from relearn.datasets.v1.sample_pb2 import LabelRegions
from relearn.labeling.v1.label_task_pb2 import Region, Whole
from relearn_datasets.domain.errors import UnsupportedLabel
from relearn_datasets.domain.values import LabelValue, one_class


def label_value(regions: Iterable[Region]) -> LabelValue:
    """What regions say together.

    Raises:
        UnsupportedLabel: a region of no part that this service knows.
    """
    said = sorted((_said(region) for region in regions), key=_bytes)
    whole = said[0].label if len(said) == 1 and said[0].HasField("whole") else None
    if whole is not None and said[0] == Region(whole=Whole(), label=whole):
        return one_class(whole)
    return LabelValue(class_name=whole, regions=_bytes(LabelRegions(regions=said)))


def label_regions(value: LabelValue | None) -> LabelRegions | None:
    """A label's value as the contract has it; None without a label."""
    if value is None:
        return None
    if value.regions is not None:
        return LabelRegions.FromString(value.regions)
    return LabelRegions(regions=[Region(whole=Whole(), label=value.class_name or "")])


def _said(region: Region) -> Region:
    if (part := region.WhichOneof("part")) is None:
        raise UnsupportedLabel("a region of the label has no part, or one that is not known")
    attributes = sorted(region.attributes, key=lambda attribute: attribute.name)
    said = Region(label=region.label, transcript=region.transcript, attributes=attributes)
    getattr(said, part).CopyFrom(getattr(region, part))
    getattr(said, part).SetInParent()
    said.DiscardUnknownFields()  # type: ignore[attr-defined]  # the stubs lack it
    _without_negative_zeros(said)
    return said


def _without_negative_zeros(message: Message) -> None:
    """Zero has a sign in a double, and so two encodings of one place."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in value if field.is_repeated else (value,):
                _without_negative_zeros(one)
        elif field.type == FieldDescriptor.TYPE_DOUBLE and value == 0:
            message.ClearField(field.name)


def _bytes(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)
