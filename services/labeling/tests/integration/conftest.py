"""A running labeling service a test; `labeling_world` becomes importable (test modules are loaded one by one)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from labeling_world import Clock, project, running


@pytest.fixture
async def labeling(postgres_url, kafka, tokens):
    """Labeling, knowing no project."""
    async with running(postgres_url, kafka, tokens, Clock()) as world:
        yield world


@pytest.fixture
async def clothes(labeling):
    """Labeling, knowing the project `clothes` with the default policy."""
    await labeling.apply(project())
    return labeling
