"""How images.tar.xz was made: 16,000 Fashion-MNIST pictures as PNG, in three disjoint folders.

    python make_archive.py /usr/share/datasets/fashion-mnist images.tar.xz

Source: Debian package `dataset-fashion-mnist` (MIT, see LICENSE-fashion-mnist). The PNGs are
stored uncompressed because xz packs many of them together better than each one can pack itself
(395 bytes a picture instead of 508). The archive is the same to the byte whenever it is made.
"""

import gzip
import io
import sys
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "boot",
)
LABELED = 4000  # from the training split: imported with labels
HELD_OUT = 2000  # from the training split: never sent as traffic, never labeled, only to measure


def read(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures [n, 28, 28] uint8 and classes [n] of one split, from the IDX files."""
    images = gzip.decompress((folder / f"{split}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{split}-labels-idx1-ubyte.gz").read_bytes())
    return (
        np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28),
        np.frombuffer(labels, np.uint8, offset=8),
    )


def main(folder: Path, archive: Path) -> None:
    train_images, train_labels = read(folder, "train")
    test_images, test_labels = read(folder, "t10k")
    parts = {
        "labeled": (train_images[:LABELED], train_labels[:LABELED]),
        "held-out": (train_images[LABELED:][:HELD_OUT], train_labels[LABELED:][:HELD_OUT]),
        "traffic": (test_images, test_labels),
    }
    with tarfile.open(archive, "w:xz", preset=9) as tar:
        for part, (images, labels) in parts.items():
            for number, (image, label) in enumerate(zip(images, labels, strict=True)):
                png = io.BytesIO()
                Image.fromarray(image).save(png, "PNG", compress_level=0)
                entry = tarfile.TarInfo(f"{part}/{CLASSES[label]}/{number:05d}.png")
                entry.size = png.tell()
                png.seek(0)
                tar.addfile(entry, png)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
