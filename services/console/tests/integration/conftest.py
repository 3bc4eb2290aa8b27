"""A running console a test; `console_world` becomes importable (test modules are loaded one by one)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from console_world import running


@pytest.fixture
async def console(tokens, tmp_path):
    """A console whose services are away."""
    async with running(tokens, tmp_path) as browser:
        yield browser
