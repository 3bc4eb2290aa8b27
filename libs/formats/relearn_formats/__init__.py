"""Labels in the formats of other tools: read and written record by record, whatever their number."""

from relearn_formats.formats import FORMATS, Format, read, write
from relearn_formats.offsets import Offsets
from relearn_formats.records import Media, Options, Problem, Record, Refused, Status

__all__ = [
    "FORMATS",
    "Format",
    "Media",
    "Offsets",
    "Options",
    "Problem",
    "Record",
    "Refused",
    "Status",
    "read",
    "write",
]
