"""The name of a suite for people is read from its file, whatever else stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from haetae.flows.naming import named

pytestmark = pytest.mark.real
_BOMB = "\n".join(["a: &a0 {x: 1}", *(f"b{n}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 9)}]}}" for n in range(12))])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("suite: support-bot\ndataset: x\n", "support-bot"),
        ("# first\n\ndataset: x\nsuite: '상담: 봇'  # ours\n", "상담: 봇"),
        ('{ "suite": "flow style" }', "flow style"),
        (f"suite: bomb\n{_BOMB}\n", "bomb"),
        (f"{_BOMB}\nsuite: {{<<: [*a12, *a12]}}\n", "folder"),
        ("suite: 7\n", "folder"),
        ("suite: [a\n", "folder"),
        ("- suite\n", "folder"),
        ("", "folder"),
        ("[" * 5_000, "folder"),
        ("suite: \x00", "folder"),
    ],
)
def test_the_name_in_the_file_else_that_of_its_folder(text: str, name: str, tmp_path: Path) -> None:
    file = tmp_path / "folder" / "suite.yaml"
    file.parent.mkdir()
    file.write_text(text, "utf-8")
    assert named(str(file)) == name


def test_a_file_that_is_not_there_is_called_by_its_own_name(tmp_path: Path) -> None:
    assert named(str(tmp_path / "night.yaml")) == "night"
