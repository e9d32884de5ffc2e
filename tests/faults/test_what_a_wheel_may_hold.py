"""The build is refused when its wheel would run code at install or whenever Python starts."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
GOOD = ("haetae/__init__.py", "haetae/datasets/starter/suite.yaml", "haetae-0.1.0.dist-info/METADATA")


def _check(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    wheel = folder / "haetae-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    command = [sys.executable, str(HOME / ".ci" / "wheel_contents.py"), str(wheel)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_wheel_of_the_package_alone_is_taken(tmp_path: Path) -> None:  # SEC-16
    done = _check(tmp_path, *GOOD)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("haetae_init.pth", "a .pth file is run whenever Python starts"),
        ("haetae/x.pth", "a .pth file is run whenever Python starts"),
        ("haetae-0.1.0.data/purelib/x.pth", "a .pth file is run whenever Python starts"),
        ("sitecustomize.py", "is run whenever Python starts"),
        ("haetae/usercustomize.py", "is run whenever Python starts"),
        ("haetae-0.1.0.data/scripts/postinstall.sh", "lies outside the package"),
        ("setup.py", "lies outside the package"),
        ("requests/__init__.py", "lies outside the package"),
        ("haetae/../../.bashrc", "leads out of the place where a wheel is installed"),
        ("/etc/profile.d/x.sh", "leads out of the place where a wheel is installed"),
    ],
)
def test_what_would_run_by_itself_or_lie_elsewhere_is_refused(tmp_path: Path, name: str, why: str) -> None:  # SEC-16
    done = _check(tmp_path, *GOOD, name)
    assert done.returncode == 1
    assert done.stderr == f"the wheel is refused:\n{name}: {why}\n"


def test_ci_checks_the_wheel_before_it_is_installed() -> None:  # SEC-16
    lines = (HOME / ".ci" / "wheel").read_text("utf-8").splitlines()
    (check,) = [place for place, line in enumerate(lines) if line == '"$python" .ci/wheel_contents.py "$wheel"']
    (install,) = [place for place, line in enumerate(lines) if "pip install" in line]
    assert check < install
    assert "set -euo pipefail" in lines
    assert ".ci/wheel dist/*.whl" in (HOME / ".ci" / "run").read_text("utf-8").splitlines()


def test_nothing_is_run_to_build_the_package_but_its_backend() -> None:  # SEC-16
    assert [path.name for path in HOME.glob("setup.*")] == []
