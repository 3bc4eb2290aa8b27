"""Samples as arrays: the one decoder that training and serving share.

A model is only right about inputs that were prepared the way its training data was. Both sides therefore
call `decode_image` and `preprocess` with the `Preprocessing` that travels inside the model artifact.
"""

from relearn_media.errors import ImageError
from relearn_media.formats import ImageFormat, ImageInfo, probe, sniff
from relearn_media.images import DecodedImage, ImageLimits, ImageSpec, decode, decode_image, encode_png
from relearn_media.preprocessing import Preprocessing, preprocess
from relearn_media.statistics import ImageStatistics, statistics

__all__ = [
    "DecodedImage",
    "ImageError",
    "ImageFormat",
    "ImageInfo",
    "ImageLimits",
    "ImageSpec",
    "ImageStatistics",
    "Preprocessing",
    "decode",
    "decode_image",
    "encode_png",
    "preprocess",
    "probe",
    "sniff",
    "statistics",
]
