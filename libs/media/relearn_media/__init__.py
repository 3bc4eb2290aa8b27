"""Samples as arrays: the one decoder that training and serving share; and what people see of samples.

A model is only right about inputs that were prepared the way its training data was. Both sides therefore
call `decode_image` and `preprocess` with the `Preprocessing` that travels inside the model artifact.

`probe` tells what any sample is. What browsers show of it is made by `relearn_media.renditions`, which this
module does not import: neither it nor the decoders of sound and video are on the path of a prediction.
"""

from relearn_media.errors import ImageError, MediaRefused
from relearn_media.formats import ImageFormat, ImageInfo, probe_image, sniff
from relearn_media.images import DecodedImage, ImageLimits, ImageSpec, decode, decode_image, encode_png
from relearn_media.limits import AudioLimits, MediaLimits, TextLimits, VideoLimits
from relearn_media.preprocessing import Preprocessing, preprocess
from relearn_media.probing import MediaInfo, probe
from relearn_media.signatures import Modality
from relearn_media.statistics import ImageStatistics, statistics
from relearn_media.texts import decode_text

__all__ = [
    "AudioLimits",
    "DecodedImage",
    "ImageError",
    "ImageFormat",
    "ImageInfo",
    "ImageLimits",
    "ImageSpec",
    "ImageStatistics",
    "MediaInfo",
    "MediaLimits",
    "MediaRefused",
    "Modality",
    "Preprocessing",
    "TextLimits",
    "VideoLimits",
    "decode",
    "decode_image",
    "decode_text",
    "encode_png",
    "preprocess",
    "probe",
    "probe_image",
    "sniff",
    "statistics",
]
