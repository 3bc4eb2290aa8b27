"""Tracks: Label Studio's `enabled` says what follows a keyframe, our `hidden` what begins with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from relearn.labeling.v1.region_pb2 import Box, Keyframe, Track


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One entry of a sequence.

    Attributes:
        frame: counted from 1.
        enabled: whether the box is seen after this frame, up to the next entry. In the frame itself it always is.
    """

    frame: int
    box: Box
    enabled: bool


def steps(track: Track) -> Iterator[Step]:
    """A track as a sequence: seen in the same frames at the same places."""
    keys = track.keyframes
    for number, key in enumerate(keys):
        if key.hidden:
            continue
        following = keys[number + 1] if number + 1 < len(keys) else None
        if following is None or not following.hidden:
            yield Step(frame=key.frame + 1, box=key.box, enabled=True)
        elif following.frame == key.frame + 1:
            yield Step(frame=key.frame + 1, box=key.box, enabled=False)
        else:
            yield Step(frame=key.frame + 1, box=key.box, enabled=True)
            last = following.frame - 1
            yield Step(frame=last + 1, box=between(key, following, last), enabled=False)


def keyframes(sequence: Sequence[Step]) -> Iterator[Keyframe]:
    """A sequence, its frames rising, as keyframes."""
    for number, step in enumerate(sequence):
        yield Keyframe(frame=step.frame - 1, box=step.box)
        follows = number + 1 < len(sequence) and sequence[number + 1].frame == step.frame + 1
        if not step.enabled and not follows:
            yield Keyframe(frame=step.frame, box=step.box, hidden=True)


def between(first: Keyframe, second: Keyframe, frame: int) -> Box:
    """The box in a frame between two keyframes."""
    share = (frame - first.frame) / (second.frame - first.frame)
    one, two = first.box, second.box
    return Box(
        x=one.x + share * (two.x - one.x),
        y=one.y + share * (two.y - one.y),
        width=one.width + share * (two.width - one.width),
        height=one.height + share * (two.height - one.height),
    )
