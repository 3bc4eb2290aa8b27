"""A running datasets service a test; `datasets_world` becomes importable (test modules are loaded one by one)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from datasets_world import project, running


@pytest.fixture
async def datasets(postgres_url, kafka, tokens, tmp_path):
    """Datasets, knowing no project."""
    async with running(postgres_url, kafka, tokens, tmp_path / "objects") as world:
        yield world


@pytest.fixture
async def clothes(datasets):
    """Datasets, knowing the project `clothes`, which commits three labels at once and fewer after an hour."""
    await datasets.apply(project())
    return datasets
