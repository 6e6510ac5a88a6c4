"""The versions of Kamailio that a file can be checked for, by the names that people use."""

from __future__ import annotations

from typing import Final

from evapi_cfg.catalog import TARGET, versions

TARGETS: Final[dict[str, str]] = {".".join(version.split(".")[:2]): version for version in versions()}
"""The catalogue's label of each, such as "6.1.4" for "6.1"."""
DEFAULT: Final = next(name for name, version in TARGETS.items() if version == TARGET)
