"""A small project on disk, and files written into it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder that marks itself as a project, inside a folder that does not belong to it."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").touch()
    return root


@pytest.fixture
def write(project: Path) -> Callable[[str, str | bytes], Path]:
    """Write a file of the project and return its path."""

    def _write(name: str, content: str | bytes) -> Path:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    return _write


@pytest.fixture
def write_rows(write: Callable[[str, str | bytes], Path]) -> Callable[..., Path]:
    """Write rows as JSON lines."""

    def _write(rows: Iterable[Any], name: str = "data.jsonl") -> Path:
        return write(name, "".join(json.dumps(row) + "\n" for row in rows))

    return _write


@pytest.fixture
def suite_text() -> str:
    """A suite file that is right."""
    return (
        "suite: support-bot\n"
        "dataset: support.jsonl\n"
        "target:\n"
        "  model: support-llm@production\n"
        "  prompt: support-answer@candidate\n"
        "metrics:\n"
        "  chrf: chrf\n"
        "  rouge: { rouge: L, tokenizer: korean }\n"
        "slices: [language]\n"
        "gate:\n"
        "  alpha: 0.05\n"
        "  metrics:\n"
        "    rouge: { max_drop: 0.03, by: language }\n"
    )
