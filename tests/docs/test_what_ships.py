"""What ships: every package of the tree, whose list is written by hand, and rubrics in both languages."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from pathlib import Path

import pytest

from haetae.catalog.prompt_file import load_prompt
from haetae.metrics.text import script_of
from haetae.workbench.shipped import shipped_rubrics

ROOT = Path(__file__).parents[2]


def test_every_folder_with_python_files_is_a_package_of_the_wheel():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    folders = {package: ROOT / folder for package, folder in setuptools["package-dir"].items()}
    found = {
        ".".join([package, *file.parent.relative_to(folder).parts])
        for package, folder in folders.items()
        for file in folder.rglob("*.py")
    }
    assert found | {"haetae.datasets"} == set(setuptools["packages"])


def test_every_rubric_ships_in_english_and_korean_and_is_told_of():
    rubrics = shipped_rubrics()
    names = {name.rpartition(".")[0] for name in rubrics}
    assert set(rubrics) == {f"{name}.{language}" for name in names for language in ("en", "ko")}
    listed = re.findall(r"^\| `(\w+)` \|", (ROOT / "datasets/rubrics/README.md").read_text("utf-8"), re.MULTILINE)
    assert set(listed) == names


@pytest.mark.parametrize("name", sorted(shipped_rubrics()))
def test_a_rubric_is_one_that_its_judge_takes(name):
    prompt = load_prompt(shipped_rubrics()[name])
    rubric, language = name.split(".")
    assert prompt.variables == {
        "correctness": {"input", "output", "reference"},
        "fluency": {"output"},
        "groundedness": {"contexts", "input", "output"},
        "preference": {"answers", "input"},
    }.get(rubric, {"input", "output"})
    text = prompt.messages[0].content
    assert (script_of(text) == "hangul") == (language == "ko")
    steps = re.findall(r"^([1-5])(?:점)?: ", text, re.MULTILINE)
    assert steps == ([] if rubric == "preference" else [*"12345"])
    assert unicodedata.is_normalized("NFC", text)
