"""Where in its file a suite gates each metric."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from haetae.catalog.suite_file import load_suite


def gated_lines(suite: Path, env: Mapping[str, str]) -> dict[str, int]:
    """The line (from 1) of each gated metric, in the order of the gate; empty for a suite without one.

    `env` fills the suite's `${NAME}`. Raises ConfigError for a suite that cannot be read.
    """
    loaded = load_suite(suite, env)
    names = loaded.suite.gate.metrics if loaded.suite.gate else ()
    return {name: loaded.problem(f"gate.metrics.{name}", "").line or 1 for name in names}
