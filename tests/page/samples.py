"""Samples to label, made here: pictures, texts, sound, and a video whose frames can be told apart."""

from __future__ import annotations

import io
import wave

import av
import numpy as np
from PIL import Image, ImageDraw

VIDEO_FPS, VIDEO_FRAMES = 10, 40
BARS, BAR = 6, 40  # a frame's number in binary, as bars of so many pixels
TEXT = "In 1963 President Kennedy stood in Berlin. The 🌍 listened.\n" * 6


def picture(seed: int = 0, width: int = 640, height: int = 480) -> bytes:
    """A picture of coloured shapes, another one for each seed."""
    generator = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), tuple(int(v) for v in generator.integers(40, 110, 3)))
    draw = ImageDraw.Draw(image)
    for n in range(14):
        x, y = generator.integers(0, (width - width // 8, height - height // 8))
        w, h = generator.integers(width // 20 + 1, width // 5, 2)
        shape = draw.rectangle if n % 2 else draw.ellipse
        color = tuple(int(v) for v in generator.integers(70, 255, 3))
        shape((int(x), int(y), int(x + w), int(y + h)), fill=color, outline=(20, 20, 20), width=2)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def sound(seconds: float = 6.0, rate: int = 16_000) -> bytes:
    """Beeps that glide, a second apart."""
    t = np.arange(int(seconds * rate)) / rate
    tone = np.sin(2 * np.pi * (300 + 150 * t) * t) + 0.4 * np.sin(2 * np.pi * 2400 * t)
    level = 0.35 * (t % 1 < 0.6) * np.abs(np.sin(2 * np.pi * 4 * t))
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((tone * level * 20_000).astype("<i2").tobytes())
    return out.getvalue()


def video() -> bytes:
    """Two shapes that cross; the upper bars are the frame's number in binary."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=VIDEO_FPS)
        stream.width, stream.height, stream.pix_fmt = 480, 270, "yuv420p"
        for number in range(VIDEO_FRAMES):
            image = Image.new("RGB", (480, 270), (50, 70, 60))
            draw = ImageDraw.Draw(image)
            draw.rectangle((20 + number * 8, 120, 90 + number * 8, 170), fill=(220, 90, 60))
            draw.ellipse((400 - number * 6, 190, 450 - number * 6, 240), fill=(90, 160, 240))
            for bar in range(BARS):
                fill = (255, 255, 255) if number >> bar & 1 else (0, 0, 0)
                draw.rectangle((bar * BAR, 0, (bar + 1) * BAR - 1, BAR - 1), fill=fill)
            for packet in stream.encode(av.VideoFrame.from_image(image)):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return out.getvalue()
