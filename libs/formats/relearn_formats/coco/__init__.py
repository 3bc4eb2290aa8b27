"""COCO instances: boxes and outlines of many pictures in one JSON document.

A picture without annotations is an answer that found nothing, as it is for the tools that train on COCO.
"""

from relearn_formats.coco.reading import read
from relearn_formats.coco.writing import HOLDS, write

__all__ = ["HOLDS", "read", "write"]
