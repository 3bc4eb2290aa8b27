"""The bytes of a sample, looked at before anything is kept: caps first, then what they are; a name never counts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from relearn_datasets.domain.errors import (
    ImageAnimated,
    ImageFormatUnsupported,
    ImageRefused,
    ImageTooLarge,
    ImageUndecodable,
    OtherInputKind,
    SampleRefused,
    SampleTooLarge,
)
from relearn_datasets.domain.samples import Content
from relearn_media import (
    AudioLimits,
    ImageError,
    ImageSpec,
    MediaInfo,
    MediaLimits,
    MediaRefused,
    Modality,
    VideoLimits,
    decode,
    probe,
)
from relearn_media.renditions import Prober, RenderFailed
from relearn_media.signatures import HEAD_BYTES, Container, container_of

MAX_BYTES = 30 * 2**20
"""Of any sample: it travels in one message of at most 32 MiB, with all that is known of it."""
LIMITS = MediaLimits(audio=AudioLimits(max_bytes=MAX_BYTES), video=VideoLimits(max_bytes=MAX_BYTES))

# Every byte is decoded, whatever the size asked for; a small one costs least afterwards.
_SMALL = ImageSpec(height=8, width=8, channels=1)
_REFUSED = {
    "IMAGE_UNDECODABLE": ImageUndecodable,
    "IMAGE_TOO_LARGE": ImageTooLarge,
    "IMAGE_FORMAT_UNSUPPORTED": ImageFormatUnsupported,
    "IMAGE_ANIMATED": ImageAnimated,
}
_SOUND_OR_VIDEO = (Modality.AUDIO, Modality.VIDEO)
_HOLDS: Mapping[Container, Sequence[Modality]] = {
    Container.PNG: (Modality.IMAGE,),
    Container.JPEG: (Modality.IMAGE,),
    Container.TEXT: (Modality.TEXT,),
    Container.WAV: (Modality.AUDIO,),
    Container.FLAC: (Modality.AUDIO,),
    Container.MP3: (Modality.AUDIO,),
}
"""What the first bytes tell; the other formats hold a sound or a video."""
_WORDS = {
    Modality.IMAGE: "a picture",
    Modality.TEXT: "a text",
    Modality.AUDIO: "a sound",
    Modality.VIDEO: "a video",
}


class Inspector:
    """Looks at samples. Its calls block, for threads: decoding takes time, and sounds and videos wait for each other.

    Sounds and videos are read by a child process, which hostile ones may bring down. Models are trained on pictures
    only, so those are decoded whole; a sound that breaks off in the middle is a sample.
    """

    def __init__(self) -> None:
        self._prober = Prober(limits=LIMITS)

    def close(self) -> None:
        """Ends the child process."""
        self._prober.close()

    def inspect(self, data: bytes, wanted: Modality) -> Content:
        """What the bytes are.

        Raises:
            SampleRefused: nothing acceptable, or not of the kind that is wanted; the class says which reason.
        """
        media_type = _picture(data) if wanted is Modality.IMAGE else self._other(data, wanted)
        return Content(sha256=hashlib.sha256(data).digest(), size_bytes=len(data), media_type=media_type)

    def _other(self, data: bytes, wanted: Modality) -> str:
        try:
            container = container_of(data[:HEAD_BYTES])
            _check_modality(_HOLDS.get(container, _SOUND_OR_VIDEO), wanted)
            info = self._probed(data, container)
        except MediaRefused as error:
            too_large = error.reason.endswith(("_TOO_LARGE", "_TOO_LONG"))
            refused = SampleTooLarge if too_large else SampleRefused
            raise refused(str(error), media_reason=error.reason) from error
        except RenderFailed as error:
            raise SampleRefused("whoever reads it fails", media_reason=error.reason) from error
        _check_modality([info.modality], wanted)
        return info.media_type

    def _probed(self, data: bytes, container: Container) -> MediaInfo:
        return probe(data, LIMITS) if container is Container.TEXT else self._prober.probe(data)


def _picture(data: bytes) -> str:
    try:
        return decode(data, _SMALL).source.format.value
    except ImageError as error:
        raise _REFUSED.get(error.reason, ImageRefused)(str(error)) from error


def _check_modality(possible: Sequence[Modality], wanted: Modality) -> None:
    if wanted not in possible:
        found = " or ".join(_WORDS[modality] for modality in possible)
        raise OtherInputKind(f"the sample is {found}; each sample of the project is {_WORDS[wanted]}")
