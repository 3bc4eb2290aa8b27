"""Build hook: generates the Python code of the contracts before anything is packed or installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class GenerateContracts(BuildHookInterface[Any]):
    """Runs `relearn_contracts.build` for wheels and for editable installs alike."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling once per build."""
        sys.path.insert(0, str(Path(self.root)))
        try:
            from relearn_contracts.build import generate
        finally:
            sys.path.pop(0)
        generate(package_root=Path(self.root))
