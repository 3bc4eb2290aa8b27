"""Makes `labeling_values` importable: test modules are loaded one by one, not as a package."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
