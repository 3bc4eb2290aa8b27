"""Which code and which libraries made a run."""

from __future__ import annotations

import hashlib
import platform
from importlib import metadata
from pathlib import Path

import relearn_media
import relearn_training

_LIBRARIES = ("torch", "numpy", "polars", "pillow", "onnx", "onnxscript", "onnxruntime", "safetensors")


def code_digest() -> str:
    """SHA-256, hex, over the source of everything between a pack and a model: learning, its rules, the decoder."""
    training, media = Path(relearn_training.__file__).parent, Path(relearn_media.__file__).parent
    sources = [*(training / "learning").glob("*.py"), *(training / "domain").glob("*.py"), *media.glob("*.py")]
    digest = hashlib.sha256()
    for source in sorted(sources, key=lambda path: (path.parent.name, path.name)):
        digest.update(f"{source.parent.name}/{source.name}\0".encode())
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()


def environment() -> dict[str, str]:
    """Versions of Python, the processor's kind and the libraries; no names of machines or paths."""
    versions = {library: metadata.version(library) for library in _LIBRARIES}
    return {"python": platform.python_version(), "machine": platform.machine(), **versions}
