"""Sound and video files, opened with nothing but the demuxers and decoders that are named here.

This module needs the extra `av`. What it calls is C code that reads hostile bytes: services reach it through
`relearn_media.renditions`, which runs it in a process of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, BinaryIO

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.frame import Frame
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from relearn_media.errors import MediaRefused
from relearn_media.frame_grid import FrameGrid, Times, frame_grid
from relearn_media.limits import AudioLimits, MediaLimits, VideoLimits
from relearn_media.signatures import Container

UNSAID = frozenset({0, 2})  # RGB and unknown, as matrices of ITU-T H.273
_BT709, _BT601, _BT601S = 1, 5, (5, 6)

_DEMUXERS = {
    Container.WAV: "wav",
    Container.FLAC: "flac",
    Container.OGG: "ogg",
    Container.MP3: "mp3",
    Container.MP4: "mov",
    Container.EBML: "matroska",
    Container.AVI: "avi",
}
_WITH_PICTURES = frozenset({Container.OGG, Container.MP4, Container.EBML, Container.AVI})
_SOUND_DECODERS = (
    *("pcm_u8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_f32le", "pcm_f64le"),
    *("pcm_alaw", "pcm_mulaw", "adpcm_ms", "adpcm_ima_wav", "flac", "mp3", "mp3float", "vorbis", "opus", "aac", "alac"),
)
_VIDEO_DECODERS = (
    *("h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg1video", "mpeg2video", "h263"),
    *("mpeg4", "msmpeg4v2", "msmpeg4", "mjpeg", "rawvideo"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """The sound of a file.

    Attributes:
        stream: its index.
        codec: name of its decoder.
        start_s, end_s: on the clock of the file.
    """

    stream: int
    codec: str
    sample_rate: int
    channels: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """The pictures of a video.

    Attributes:
        stream: its index.
        width, height: upright.
        turns: quarter turns, counter-clockwise, from the stored to the upright picture; 0..3.
        start_s: when the first is shown, on the clock of the file.
        length_s: from there to the end of the last one.
        colours: which matrix of ITU-T H.273 they are in: 1 (BT.709), 5 or 6 (BT.601); others are told apart no further.
        times_s: when they are shown, in order, where the pictures themselves don't tell: containers such as AVI know
            only when to decode. None where they do.
    """

    stream: int
    width: int
    height: int
    turns: int
    start_s: float
    length_s: float
    grid: FrameGrid
    colours: int
    times_s: Times | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A file within its limits, of which all packets were looked at and one picture decoded."""

    format: Container
    sound: Sound | None
    pictures: Pictures | None

    @property
    def start_s(self) -> float:
        """What people see as zero, on the clock of the file: the first picture, else the first sound."""
        return self.pictures.start_s if self.pictures is not None else self.sound.start_s if self.sound else 0.0

    @property
    def length_s(self) -> float:
        """From there to the end of pictures and sound."""
        ends = [self.pictures.length_s] if self.pictures is not None else []
        return max(ends + ([self.sound.end_s - self.start_s] if self.sound is not None else []))


@contextmanager
def opened(file: BinaryIO, format: Container) -> Iterator[InputContainer]:
    """A sound or a video, from its beginning. What the block raises about damaged bytes leaves it as MediaRefused.

    Raises:
        MediaRefused: MEDIA_UNDECODABLE, MEDIA_NAMES_OTHER_FILES.
    """
    options = {
        "protocol_whitelist": "none",  # not even "file": all bytes come from `file`
        "format_whitelist": _DEMUXERS[format],
        "codec_whitelist": ",".join(_SOUND_DECODERS + _VIDEO_DECODERS),
    }
    if format is Container.MP4:
        options |= {"enable_drefs": "0", "use_absolute_path": "0"}
    file.seek(0)
    try:
        with av.open(
            file,
            "r",
            format=_DEMUXERS[format],
            options=options,
            metadata_errors="replace",
            io_open=_refuse_other_files,
        ) as container:
            yield container
    except MemoryError:  # one of FFmpeg's errors is; the bytes may be fine where there is more of it
        raise
    except av.FFmpegError as error:
        raise MediaRefused("MEDIA_UNDECODABLE", f"the file is damaged or cut off: {error.strerror}") from error


def measure(file: BinaryIO, format: Container, limits: MediaLimits) -> Measured:
    """What is in a sound or a video file; it is read whole, but only its first picture is decoded.

    Raises:
        MediaRefused: AUDIO_..., VIDEO_... or MEDIA_..., see the README.
    """
    with opened(file, format) as container:
        video, sound = _streams(container, format)
        if video is not None:
            _check_video_header(container, video, limits.video)
        if sound is not None:
            _check_sound_header(container, sound, limits.audio)
        shown, heard = _Shown(limits.video, format), _Heard(limits.audio)
        for packet in container.demux([stream for stream in (video, sound) if stream is not None]):
            if packet.size > 0:  # the demuxer's end mark is empty
                (shown if packet.stream is video else heard).add(packet)
        # told before the container closes: its streams are gone then
        audible = None if sound is None else heard.sound(sound)
        visible = None if video is None else shown.pictures(video)
    if audible is not None:
        audible = _first_heard(file, format, audible)
    if visible is not None:
        visible = _first_shown(file, format, visible)
    elif audible is None:
        raise MediaRefused("AUDIO_WITHOUT_SAMPLES", "no sample of the sound can be decoded")
    return Measured(format=format, sound=audible, pictures=visible)


def _first_heard(file: BinaryIO, format: Container, sound: Sound) -> Sound | None:
    """The sound from its first audible sample: what codecs put before it is not heard. None when nothing is."""
    with opened(file, format) as container:
        first = next(decoded_frames(container, sound.stream), None)
        told_s = sound.end_s if first is None else at_s(first)
        start_s = sound.start_s if told_s is None else told_s
        return replace(sound, start_s=start_s) if start_s < sound.end_s else None


def _first_shown(file: BinaryIO, format: Container, pictures: Pictures) -> Pictures:
    """The pictures upright and from the first that is shown: only decoding tells how it is turned."""
    with opened(file, format) as container:
        first = next(decoded_frames(container, pictures.stream), None)
        if first is None:
            raise MediaRefused("VIDEO_WITHOUT_FRAMES", "no frame of the video can be decoded")
        turns, told_s = round(first.rotation / 90) % 4, at_s(first)
        width, height = (first.width, first.height) if turns % 2 == 0 else (first.height, first.width)
        start_s = pictures.start_s if told_s is None else told_s
        colours = first.colorspace if first.colorspace in (_BT709, *_BT601S) else _guessed(first)
        return replace(pictures, width=width, height=height, turns=turns, start_s=start_s, colours=colours)


def _guessed(first: VideoFrame) -> int:
    """The matrix that players take for a video which doesn't say."""
    return _BT601 if first.colorspace in UNSAID and first.height < 720 else _BT709


def decoded_frames(container: InputContainer, stream: int) -> Iterator[Any]:
    """Pictures or blocks of sound as they are decoded; a damaged packet is passed over."""
    for packet in container.demux(container.streams[stream]):
        try:
            yield from packet.decode()
        except MemoryError:
            raise
        except av.FFmpegError:
            continue


def at_s(frame: Frame) -> float | None:
    """When something is seen or heard, on the clock of the file; None when nothing says it."""
    ticks = frame.pts if frame.pts is not None else frame.dts
    return None if ticks is None or frame.time_base is None else float(ticks * frame.time_base)


def _refuse_other_files(url: str, *_: object) -> BinaryIO:
    raise MediaRefused("MEDIA_NAMES_OTHER_FILES", "the file asks for another file or address; send one whole file")


def _streams(container: InputContainer, format: Container) -> tuple[VideoStream | None, AudioStream | None]:
    """The first video that is no cover picture, and the first sound.

    Raises:
        MediaRefused: there is neither, or a decoder is wanted that is not on the list.
    """
    shown = container.streams.video if format in _WITH_PICTURES else ()
    videos = [stream for stream in shown if not stream.disposition & Disposition.attached_pic]
    video, sound = next(iter(videos), None), next(iter(container.streams.audio), None)
    if video is not None and video.codec_context.name not in _VIDEO_DECODERS:
        raise MediaRefused("VIDEO_CODEC_UNSUPPORTED", f"the video is in {video.codec_context.name}")
    if sound is not None and sound.codec_context.name not in _SOUND_DECODERS:
        raise MediaRefused("AUDIO_CODEC_UNSUPPORTED", f"the sound is in {sound.codec_context.name}")
    if video is None and sound is None:
        raise MediaRefused("MEDIA_WITHOUT_STREAMS", "the file holds neither sound nor video")
    return video, sound


def _check_video_header(container: InputContainer, video: VideoStream, limits: VideoLimits) -> None:
    width, height = video.codec_context.width, video.codec_context.height
    if width < 1 or height < 1:
        raise MediaRefused("VIDEO_UNDECODABLE", f"the header says {width} x {height} pixels")
    if width * height > limits.max_pixels or max(width, height) > limits.max_side:
        raise MediaRefused(
            "VIDEO_TOO_LARGE",
            f"{width} x {height} pixels, at most {limits.max_pixels} and {limits.max_side} a side are accepted",
        )
    if video.frames > limits.max_frames:
        raise MediaRefused("VIDEO_TOO_LONG", f"{video.frames} frames, at most {limits.max_frames} are accepted")
    _check_length("VIDEO_TOO_LONG", _claimed_s(container, video), limits.max_length_s)


def _check_sound_header(container: InputContainer, sound: AudioStream, limits: AudioLimits) -> None:
    rate, channels = sound.codec_context.sample_rate, sound.codec_context.channels
    if not limits.min_sample_rate <= rate <= limits.max_sample_rate:
        raise MediaRefused(
            "AUDIO_RATE_UNSUPPORTED",
            f"{rate} samples a second, {limits.min_sample_rate} to {limits.max_sample_rate} are accepted",
        )
    if not 1 <= channels <= limits.max_channels:
        raise MediaRefused(
            "AUDIO_CHANNELS_UNSUPPORTED", f"{channels} channels, 1 to {limits.max_channels} are accepted"
        )
    _check_length("AUDIO_TOO_LONG", _claimed_s(container, sound), limits.max_length_s)


def _claimed_s(container: InputContainer, stream: VideoStream | AudioStream) -> float:
    """The longest that the headers claim; 0 where they claim nothing."""
    claims = [0.0]
    if stream.duration is not None and stream.time_base is not None:
        claims.append(float(stream.duration * stream.time_base))
    if container.duration is not None:
        claims.append(container.duration / av.time_base)
    return max(claims)


def _check_length(reason: str, length_s: float, max_length_s: float) -> None:
    if not length_s <= max_length_s:
        raise MediaRefused(reason, f"{length_s:.0f} seconds, at most {max_length_s:.0f} are accepted")


class _Shown:
    """Collects when the pictures of a video are shown, from its packets."""

    def __init__(self, limits: VideoLimits, format: Container) -> None:
        self._limits = limits
        self._times: list[float] = []
        self._last_s = 0.0  # how long the picture of the last packet is shown
        self._told = format is not Container.AVI  # FFmpeg makes up times of showing there, in order of decoding

    def add(self, packet: Packet[Any]) -> None:
        ticks = packet.pts if packet.pts is not None else packet.dts
        if ticks is None or packet.time_base is None:
            return
        if len(self._times) >= self._limits.max_frames:
            raise MediaRefused("VIDEO_TOO_LONG", f"more than {self._limits.max_frames} frames")
        self._told = self._told and packet.pts is not None
        self._times.append(float(ticks * packet.time_base))
        self._last_s = float((packet.duration or 0) * packet.time_base)

    def pictures(self, video: VideoStream) -> Pictures:
        """What packets and header tell; not yet upright."""
        if not self._times:
            raise MediaRefused("VIDEO_WITHOUT_FRAMES", "the video has no frame")
        times = np.sort(np.asarray(self._times))
        _check_length("VIDEO_TOO_LONG", float(times[-1] - times[0]) + self._last_s, self._limits.max_length_s)
        claimed = [Fraction(rate) for rate in (video.average_rate, video.guessed_rate, video.base_rate) if rate]
        grid = frame_grid(times, last_s=self._last_s, rates=claimed, max_rate=self._limits.max_frame_rate)
        if grid.rate > self._limits.max_frame_rate:
            raise MediaRefused(
                "VIDEO_RATE_UNSUPPORTED",
                f"{float(grid.rate):.0f} frames a second, at most {self._limits.max_frame_rate} are accepted",
            )
        if grid.frames > self._limits.max_frames:
            raise MediaRefused(
                "VIDEO_TOO_LONG", f"{grid.frames} frames, at most {self._limits.max_frames} are accepted"
            )
        return Pictures(
            stream=video.index,
            width=video.codec_context.width,
            height=video.codec_context.height,
            turns=0,
            start_s=float(times[0]),
            length_s=grid.frames / float(grid.rate),
            grid=grid,
            colours=_BT709,
            times_s=None if self._told else times,
        )


class _Heard:
    """Collects where a sound begins and ends, from its packets."""

    def __init__(self, limits: AudioLimits) -> None:
        self._limits = limits
        self.start_s: float | None = None
        self.end_s: float | None = None

    def add(self, packet: Packet[Any]) -> None:
        ticks = packet.pts if packet.pts is not None else packet.dts
        if ticks is None or packet.time_base is None:
            return
        start_s = float(ticks * packet.time_base)
        end_s = start_s + float((packet.duration or 0) * packet.time_base)
        self.start_s = start_s if self.start_s is None else min(self.start_s, start_s)
        self.end_s = end_s if self.end_s is None else max(self.end_s, end_s)
        _check_length("AUDIO_TOO_LONG", self.end_s - self.start_s, self._limits.max_length_s)

    def sound(self, stream: AudioStream) -> Sound | None:
        """None when it has no samples."""
        if self.start_s is None or self.end_s is None or self.end_s <= self.start_s:
            return None
        return Sound(
            stream=stream.index,
            codec=stream.codec_context.name,
            sample_rate=stream.codec_context.sample_rate,
            channels=stream.codec_context.channels,
            start_s=self.start_s,
            end_s=self.end_s,
        )
