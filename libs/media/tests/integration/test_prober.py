"""What many samples are, asked of one child process."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import hostile
import made_media as made
import pytest

from relearn_media import AudioLimits, MediaLimits, MediaRefused, Modality
from relearn_media.renditions import Budget, Prober, RenderCrashed, RenderTimedOut

SOUND = made.wav(made.tone(seconds=0.5))


@pytest.fixture
def prober():
    made = Prober()
    yield made
    made.close()


def children() -> set[int]:
    """Process ids of the probing children of this process."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            parent = f"\nPPid:\t{os.getpid()}\n" in status.read_text()
            if parent and b"probe_worker" in status.with_name("cmdline").read_bytes():
                found.add(int(status.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_samples_of_every_kind_are_told_by_one_child(prober):
    samples = {Modality.AUDIO: SOUND, Modality.VIDEO: made.video(3), Modality.TEXT: b"a text"}

    found = {modality: prober.probe(data) for modality, data in samples.items()}

    assert {modality: info.modality for modality, info in found.items()} == {one: one for one in samples}
    assert found[Modality.VIDEO].frames == 3
    assert len(children()) == 1
    prober.close()
    assert children() == set()


def test_what_is_refused_has_its_reason_and_the_next_is_told(prober):
    with pytest.raises(MediaRefused) as raised:
        prober.probe(SOUND[:20])

    assert raised.value.reason == "MEDIA_UNDECODABLE"
    assert prober.probe(SOUND).media_type == "audio/wav"


def test_limits_are_those_that_were_given():
    prober = Prober(limits=MediaLimits(audio=AudioLimits(max_length_s=0.25)))

    with pytest.raises(MediaRefused) as raised:
        prober.probe(SOUND)

    assert raised.value.reason == "AUDIO_TOO_LONG"
    prober.close()


def test_a_child_that_died_between_two_samples_is_replaced(prober):
    prober.probe(SOUND)
    (child,) = children()

    os.kill(child, signal.SIGKILL)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)

    assert prober.probe(SOUND).media_type == "audio/wav"
    assert children() - {child}


def test_a_sample_that_brings_its_child_down_takes_no_other_with_it():
    prober = Prober(budget=Budget(memory_bytes=64 * 2**20, cpu_s=60, wall_s=60, output_bytes=0))  # too little to start

    for _ in range(2):
        with pytest.raises(RenderCrashed):
            prober.probe(SOUND)

    assert children() == set()


def test_a_sample_that_takes_too_long_is_given_up():
    prober = Prober(budget=Budget(wall_s=0.001, output_bytes=0))

    with pytest.raises(RenderTimedOut):
        prober.probe(SOUND)

    assert children() == set()


def test_threads_take_turns(prober):
    told = []
    threads = [threading.Thread(target=lambda: told.append(prober.probe(SOUND).length_s)) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert told == [0.5] * 8


@pytest.mark.parametrize("group", hostile.GROUPS)
def test_files_made_to_do_harm_are_told_or_refused(prober, group):
    for case in hostile.meant(group):
        assert isinstance(outcome(prober, case.data), Modality) or outcome(prober, case.data) == case.expected


def outcome(prober, data):
    try:
        return prober.probe(data).modality
    except MediaRefused as refused:
        return refused.reason
