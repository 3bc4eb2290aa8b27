"""From a pack to arrays: the input size is settled, every sample decoded, the normalisation measured."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from relearn_media import ImageError, ImageInfo, ImageSpec, Preprocessing, decode_image, probe
from relearn_training.learning.groups import groups_of
from relearn_training.learning.prepared import COLUMNS, Prepared
from relearn_training.learning.tasks import PrepareTask

MAX_SIDE = 64  # of a derived input; larger ones are a choice that the project's policy makes
MIN_SIDE = 8
MIN_STD = 1 / 255


class DamagedPack(ValueError):
    """The pack is not what datasets made."""


def prepare(task: PrepareTask) -> Prepared:
    """Decode the labeled samples of a pack.

    Samples that cannot be used (undecodable, a label outside the classes, no use) are left out and counted.

    Raises:
        DamagedPack: bytes and name of a sample differ.
        ValueError: none is left.
    """
    index = pl.read_parquet(task.index)
    pack = np.memmap(task.pack, dtype=np.uint8, mode="r")
    left_out: Counter[str] = Counter()
    rows: list[int] = []
    infos: list[ImageInfo] = []
    encoded: list[bytes] = []
    known = {name: number for number, name in enumerate(task.classes)}
    labels = index["label"].to_list()
    places = index.select("sample_id", "offset", "size", "label", "use").iter_rows()
    for row, (sample_id, offset, size, label, use) in enumerate(places):
        if use not in ("train", "validation"):
            continue
        data = pack[offset : offset + size].tobytes()
        if hashlib.sha256(data).hexdigest() != sample_id.rpartition("/")[2]:
            raise DamagedPack(f"the bytes of {sample_id} are not those of its name")
        if label not in known:
            left_out["not_in_label_set"] += 1
            continue
        try:
            infos.append(probe(data))
        except ImageError as error:
            left_out[error.reason.lower()] += 1
            continue
        rows.append(row)
        encoded.append(data)
    if not rows:
        raise ValueError(f"no sample of the pack can be used: {dict(left_out)}")
    spec = task.preprocessing.spec if task.preprocessing else _spec(task.size, infos)
    pixels, decoded = _decode(encoded, spec, left_out)
    kept = [rows[place] for place in decoded]
    samples = index[kept].select(pl.col(name).cast(kind) for name, kind in COLUMNS.items())
    groups = groups_of(samples, champion_version_n=task.champion_version_n)
    train = np.concatenate(groups)
    return Prepared(
        pixels=pixels,
        labels=np.asarray([known[labels[row]] for row in kept], dtype=np.int64),
        samples=samples,
        preprocessing=task.preprocessing or _measured(spec, pixels[train] if len(train) else pixels),
        classes=task.classes,
        left_out=dict(left_out),
        new_labels=len(groups[2]),
    )


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
    encoded: Sequence[bytes], spec: ImageSpec, left_out: Counter[str]
) -> tuple[npt.NDArray[np.uint8], list[int]]:
    pixels = np.empty((len(encoded), spec.height, spec.width, spec.channels), dtype=np.uint8)
    decoded: list[int] = []
    for place, data in enumerate(encoded):
        try:
            pixels[len(decoded)] = decode_image(data, spec)
        except ImageError as error:
            left_out[error.reason.lower()] += 1
        else:
            decoded.append(place)
    if not decoded:
        raise ValueError(f"no sample of the pack can be decoded: {dict(left_out)}")
    return pixels[: len(decoded)], decoded


def _measured(spec: ImageSpec, pixels: npt.NDArray[np.uint8]) -> Preprocessing:
    # in integers, so that the result depends on no order of summation
    flat = pixels.reshape(-1, spec.channels)
    total = flat.sum(axis=0, dtype=np.uint64).astype(np.float64)
    squares = sum(
        (np.square(part, dtype=np.uint64).sum(axis=0) for part in np.array_split(flat.astype(np.uint16), 16)),
        np.zeros(spec.channels, dtype=np.uint64),
    ).astype(np.float64)
    mean = total / len(flat)
    std = np.sqrt(np.maximum(squares / len(flat) - mean**2, 0))
    return Preprocessing(
        height=spec.height,
        width=spec.width,
        channels=spec.channels,
        mean=tuple((mean / 255).round(6).tolist()),
        std=tuple(np.maximum(std / 255, MIN_STD).round(6).tolist()),
    )
