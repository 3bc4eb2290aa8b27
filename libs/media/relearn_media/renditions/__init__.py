"""What people see of samples: views that browsers play, thumbnails, peaks, spectrograms; made in child processes.

Needs the extra `av`, in the children only: this package itself imports no decoder.
"""

from relearn_media.renditions.children import (
    ALL,
    Budget,
    RenderCrashed,
    RenderFailed,
    RenderOutOfMemory,
    RenderTimedOut,
    RenderTooLarge,
    Renditions,
    forget_unfinished,
)
from relearn_media.renditions.prober import Prober
from relearn_media.renditions.rendered import File, Rendered, Rendition, kept

__all__ = [
    "ALL",
    "Budget",
    "File",
    "Prober",
    "RenderCrashed",
    "RenderFailed",
    "RenderOutOfMemory",
    "RenderTimedOut",
    "RenderTooLarge",
    "Rendered",
    "Rendition",
    "Renditions",
    "forget_unfinished",
    "kept",
]
