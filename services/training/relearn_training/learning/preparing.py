"""From a pack to arrays: the input size is settled, every sample decoded, the normalisation measured."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from relearn_media import ImageError, ImageInfo, ImageSpec, Preprocessing, decode_image, probe_image
from relearn_training.learning import prepared
from relearn_training.learning.groups import groups_of
from relearn_training.learning.prepared import COLUMNS, Prepared
from relearn_training.learning.tasks import PrepareTask

MAX_SIDE = 64  # of a derived input; larger ones are a choice that the project's policy makes
MIN_SIDE = 8
MIN_STD = 1 / 255
_MEASURED_AT_ONCE = 2**20  # values; 8 MB


class DamagedPack(ValueError):
    """The pack is not what datasets made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A sample that may be used: its row of the index, where its bytes lie, what their header says."""

    row: int
    offset: int
    size: int
    info: ImageInfo


def prepare(task: PrepareTask) -> Prepared:
    """Decode the labeled samples of a pack into the task's output folder.

    Of train and validation samples, those that cannot be used (undecodable, a label outside the classes) are left out
    and counted. Memory holds a few pictures at a time: pack and pixels are mapped from disk.

    Raises:
        DamagedPack: bytes and name of a sample differ.
        ValueError: none is left.
    """
    index = pl.read_parquet(task.index)
    pack = np.memmap(task.pack, dtype=np.uint8, mode="r")
    left_out: Counter[str] = Counter()
    known = {name: number for number, name in enumerate(task.classes)}
    places = _usable(index, pack, known, left_out)
    if not places:
        raise ValueError(f"no sample of the pack can be used: {dict(left_out)}")
    spec = task.preprocessing.spec if task.preprocessing else _spec(task.size, [place.info for place in places])
    room = prepared.room(task.output, samples=len(places), height=spec.height, width=spec.width, channels=spec.channels)
    rows = _decode(places, pack, spec, room, left_out)
    if not rows:
        raise ValueError(f"no sample of the pack can be decoded: {dict(left_out)}")
    pixels = room[: len(rows)]
    labels = index["label"].gather(rows).to_list()
    samples = index[rows].select(pl.col(name).cast(kind) for name, kind in COLUMNS.items())
    groups = groups_of(samples, champion_version_n=task.champion_version_n)
    train = np.concatenate(groups)
    found = Prepared(
        pixels=pixels,
        labels=np.asarray([known[label] for label in labels], dtype=np.int64),
        samples=samples,
        preprocessing=task.preprocessing or _measured(spec, pixels, train if len(train) else np.arange(len(rows))),
        classes=task.classes,
        left_out=dict(left_out),
        new_labels=len(groups[2]),
    )
    prepared.write(task.output, found)
    return found


def _usable(
    index: pl.DataFrame, pack: npt.NDArray[np.uint8], known: Container[str], left_out: Counter[str]
) -> list[_Place]:
    """Samples to learn from or to judge by whose header can be read; raises DamagedPack."""
    usable: list[_Place] = []
    columns = index.select("sample_id", "offset", "size", "label", "use").iter_rows()
    for row, (sample_id, offset, size, label, use) in enumerate(columns):
        if use not in ("train", "validation"):
            continue
        data = pack[offset : offset + size].tobytes()
        if hashlib.sha256(data).hexdigest() != sample_id.rpartition("/")[2]:
            raise DamagedPack(f"the bytes of {sample_id} are not those of its name")
        if label not in known:
            left_out["not_in_label_set"] += 1
            continue
        try:
            usable.append(_Place(row=row, offset=offset, size=size, info=probe_image(data)))
        except ImageError as error:
            left_out[error.reason.lower()] += 1
    return usable


def _spec(size: tuple[int, int, int] | None, infos: Sequence[ImageInfo]) -> ImageSpec:
    """The project's size, else the median of the samples within MIN_SIDE..MAX_SIDE; grey if all are."""
    if size is not None:
        return ImageSpec(height=size[0], width=size[1], channels=size[2])
    height = int(np.median([info.height for info in infos]))
    width = int(np.median([info.width for info in infos]))
    return ImageSpec(
        height=min(MAX_SIDE, max(MIN_SIDE, height)),
        width=min(MAX_SIDE, max(MIN_SIDE, width)),
        channels=max(info.channels for info in infos),
    )


def _decode(
    places: Sequence[_Place],
    pack: npt.NDArray[np.uint8],
    spec: ImageSpec,
    room: npt.NDArray[np.uint8],
    left_out: Counter[str],
) -> list[int]:
    """Fill `room` from its start; the rows of the index that are in it."""
    rows: list[int] = []
    for place in places:
        try:
            room[len(rows)] = decode_image(pack[place.offset : place.offset + place.size].tobytes(), spec)
        except ImageError as error:
            left_out[error.reason.lower()] += 1
        else:
            rows.append(place.row)
    return rows


def _measured(spec: ImageSpec, pixels: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]) -> Preprocessing:
    """Mean and deviation over some rows, in integers, so that the result depends on no order of summation."""
    total, squares = (np.zeros(spec.channels, dtype=np.uint64) for _ in range(2))
    pictures = max(1, _MEASURED_AT_ONCE // (spec.height * spec.width * spec.channels))
    for start in range(0, len(rows), pictures):
        flat = pixels[rows[start : start + pictures]].reshape(-1, spec.channels).astype(np.uint32)
        total += flat.sum(axis=0, dtype=np.uint64)
        squares += np.square(flat).sum(axis=0, dtype=np.uint64)
    count = len(rows) * spec.height * spec.width
    mean = total.astype(np.float64) / count
    std = np.sqrt(np.maximum(squares.astype(np.float64) / count - mean**2, 0))
    return Preprocessing(
        height=spec.height,
        width=spec.width,
        channels=spec.channels,
        mean=tuple((mean / 255).round(6).tolist()),
        std=tuple(np.maximum(std / 255, MIN_STD).round(6).tolist()),
    )
