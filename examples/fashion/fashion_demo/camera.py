"""The product's camera, before and after somebody bumped into it."""

import io

import numpy as np
from PIL import Image

TURN_DEGREES = 90
SCALE = 0.8
LIGHT = 0.6
NOISE = 0.03  # standard deviation, of full scale


def turned_camera(content: bytes, generator: np.random.Generator) -> bytes:
    """What the camera delivers after the accident.

    Args:
        content: an encoded grey picture.
        generator: source of the sensor noise.

    Returns:
        PNG of the same size: turned by 90 degrees, the object at 0.8 scale in the middle of a black
        picture, light at 0.6, Gaussian noise of 0.03 of full scale.
    """
    picture = Image.open(io.BytesIO(content)).convert("L")
    width, height = picture.size
    small = picture.rotate(TURN_DEGREES).resize(
        (round(width * SCALE), round(height * SCALE)), Image.Resampling.BILINEAR
    )
    scene = Image.new("L", (width, height))
    scene.paste(small, ((width - small.width) // 2, (height - small.height) // 2))
    pixels = np.asarray(scene, dtype=np.float32) / 255 * LIGHT
    pixels = pixels + generator.normal(0, NOISE, pixels.shape).astype(np.float32)
    encoded = io.BytesIO()
    Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8)).save(encoded, "PNG")
    return encoded.getvalue()
