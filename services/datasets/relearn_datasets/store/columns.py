"""Values that lie in several columns of several tables."""

from __future__ import annotations

from typing import Any

from relearn_datasets.domain.samples import Draw, Stream
from relearn_datasets.domain.values import LabelValue


def draw(row: Any) -> Draw | None:
    """The draw in the columns stream and probability."""
    return Draw(stream=Stream(row.stream), probability=row.probability) if row.stream else None


def label_value(class_name: str | None, regions: bytes | None) -> LabelValue | None:
    """What the label in two columns says; None without a label."""
    if class_name is None and regions is None:
        return None
    return required_value(class_name, regions)


def required_value(class_name: str | None, regions: bytes | None) -> LabelValue:
    """The same where there is always a label."""
    return LabelValue(class_name=class_name, regions=None if regions is None else bytes(regions))


def columns_of(label: LabelValue | None) -> tuple[str | None, bytes | None]:
    """Class and regions as they are stored."""
    return (None, None) if label is None else (label.class_name, label.regions)
