"""Label Studio's JSON: a list of tasks with their annotations and predictions.

Its numbers are percent of the picture, frames counted from 1, seconds, and code points of the text: its page turns the
browser's UTF-16 offsets into them (`fixCodePointsInRange` of its `selection-tools`).
"""

from relearn_formats.label_studio.reading import read
from relearn_formats.label_studio.writing import HOLDS, write

__all__ = ["HOLDS", "read", "write"]
