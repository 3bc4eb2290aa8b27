"""CVAT's XML 1.1: boxes, outlines and tags of many pictures, or the tracks of one video; numbers are pixels.

`occluded` is an attribute where it is 1. A picture without shapes is an answer that found nothing.
"""

from relearn_formats.cvat.reading import read
from relearn_formats.cvat.writing import HOLDS, write

__all__ = ["HOLDS", "read", "write"]
