"""The wheel carries every package of the tree: its list is written by hand."""

from __future__ import annotations

import tomllib
from pathlib import Path

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
