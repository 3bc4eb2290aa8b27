"""Handwritten digits as a person's folder of pictures: colour and grey, three sizes, JPEG and PNG mixed."""

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SIZES = ((24, 24), (32, 40), (48, 48))  # width, height
FORMATS = ("PNG", "JPEG")
MODES = ("RGB", "L")
SHADES = 16  # of the original, white


@dataclass(frozen=True, slots=True, kw_only=True)
class Digit:
    """One encoded picture and what it shows."""

    name: str
    label: str
    content: bytes


def digits(*, seed: int, turned: bool = False) -> Iterator[Digit]:
    """All 1,797, each in colours, size and format that the seed decides.

    Args:
        seed: other seeds give other pictures of the same digits.
        turned: by 90 degrees, as a camera that fell over would take them.
    """
    generator = random.Random(seed)
    with np.load(Path(__file__).with_name("digits.npz")) as stored:
        images, labels = stored["images"], stored["labels"]
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        kind = generator.choice(FORMATS)
        content = _encoded(np.rot90(image) if turned else image, kind=kind, generator=generator)
        yield Digit(name=f"{number:04d}.{kind.lower()}", label=CLASSES[label], content=content)


def write(found: Iterator[Digit], folder: Path) -> None:
    """A folder with one subfolder per class."""
    for digit in found:
        (folder / digit.label).mkdir(parents=True, exist_ok=True)
        (folder / digit.label / digit.name).write_bytes(digit.content)


def _encoded(image: np.ndarray, *, kind: str, generator: random.Random) -> bytes:
    """Bright ink of one colour on dark paper of another."""
    ink = np.array([generator.randint(150, 255) for _ in "rgb"])
    paper = np.array([generator.randint(0, 60) for _ in "rgb"])
    share = image[..., None] / SHADES  # [8, 8, 1]
    picture = Image.fromarray((paper + share * (ink - paper)).round().astype(np.uint8))
    picture = picture.resize(generator.choice(SIZES), Image.Resampling.BICUBIC).convert(generator.choice(MODES))
    encoded = io.BytesIO()
    picture.save(encoded, kind, **({"quality": 90} if kind == "JPEG" else {}))
    return encoded.getvalue()
