"""Flows and dashboards know the face of the package and nothing behind it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("flows/**/*.py"), *ROOT.glob("dashboards/**/*.py")])


def _imported(file: Path) -> Iterator[str]:
    """The modules that a file loads; names for annotations alone are not loaded."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    guarded = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    hidden = {id(inner) for block in guarded for inner in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_guest_imports_the_face_and_its_own_room(file: Path) -> None:
    own = "haetae.flows" if "flows" in file.parts else "haetae.dashboards"
    ours = {module for module in _imported(file) if module.partition(".")[0] == "haetae"}
    assert {module for module in ours if module != "haetae" and not module.startswith(own)} == set()


def test_there_are_guests() -> None:
    assert {"evaluate.py", "app.py", "data.py"} <= {file.name for file in FILES}
