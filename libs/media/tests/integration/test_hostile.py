"""The whole corpus of hostile files through the worker: each is refused with a reason, or shown within the caps."""

from __future__ import annotations

import asyncio
import json

import hostile
import pytest

from relearn_media import MediaRefused, Modality
from relearn_media.renditions import Budget, Renditions, kept

BUDGET = Budget(memory_bytes=1024**3, cpu_s=60, wall_s=120, output_bytes=64 * 1024**2)


async def outcomes(cases, folder):
    """By name, what became of each: the reason of the refusal, or the kind of media; what is kept says the same."""
    renditions = Renditions(budget=BUDGET)

    async def outcome(case):
        source, target = folder / case.name, folder / f"{case.name}.made"
        source.write_bytes(case.data)
        first, again = await _told(renditions.render(source, target)), await _told(asyncio.to_thread(kept, target))
        assert first == again
        return first

    found = await asyncio.gather(*map(outcome, cases))
    assert not list(folder.glob(".unfinished-*"))
    assert not [result for result in found if isinstance(result, tuple) and str(folder) in result[1]]  # people read it
    return {case.name: _word(result) for case, result in zip(cases, found, strict=True)}


async def _told(asked):
    try:
        return await asked
    except MediaRefused as refused:
        return refused.reason, str(refused)


def _word(result):
    if isinstance(result, tuple):
        return result[0]
    _check(result)
    return result.info.modality


def _check(rendered):
    info = rendered.info
    if info.modality in (Modality.AUDIO, Modality.VIDEO):
        assert 0 < info.length_s <= 4 * 3600
    if rendered.peaks is not None:
        pairs = json.loads(rendered.peaks.path.read_text())
        assert len(pairs) == 2000
        assert all(-1 <= low <= high <= 1 for low, high in pairs)
    if info.modality is Modality.VIDEO:
        assert rendered.view is not None
        assert info.frames >= 1


@pytest.mark.parametrize("group", hostile.GROUPS)
async def test_files_made_to_do_harm_are_refused_or_shown(group, tmp_path):
    cases = list(hostile.meant(group))

    assert await outcomes(cases, tmp_path) == {case.name: case.expected for case in cases}


@pytest.mark.parametrize("kind", hostile.KINDS)
async def test_damaged_files_are_refused_or_shown(kind, tmp_path):
    cases = list(hostile.damaged(kind))

    found = await outcomes(cases, tmp_path)

    assert found[f"cut-0.{kind}"] == "MEDIA_EMPTY"
    for word in found.values():
        assert isinstance(word, Modality) or word.startswith(("MEDIA_", "TEXT_", "IMAGE_", "AUDIO_", "VIDEO_"))
