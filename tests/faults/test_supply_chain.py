"""What is installed is pinned by hash and a week old, and an audit that could not ask is a failure."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
MAKEFILE = (HOME / "Makefile").read_text()
CORE = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]["dependencies"]


def _pins(name: str) -> dict[str, str]:
    """Each package of a lock file with its whole entry."""
    text = (HOME / "deploy" / name).read_text().replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {re.split(r"[=<>! ]", entry, maxsplit=1)[0]: entry for entry in entries}


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-dev.txt"])
def test_every_package_is_pinned_to_one_version_by_its_hash(name: str) -> None:  # SEC-15
    pins = _pins(name)
    assert len(pins) > 50
    assert [package for package, entry in pins.items() if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_all_of_the_core_is_pinned_and_no_gateway_of_models_is_among_it() -> None:  # SEC-15
    names = {re.split(r"[\[<>=!~ ;]", line, maxsplit=1)[0] for line in CORE}
    assert names <= _pins("constraints.txt").keys()
    assert "litellm" not in names | _pins("constraints.txt").keys()


def test_releases_younger_than_a_week_are_not_taken_and_hashes_are_required() -> None:  # SEC-15
    assert '--generate-hashes --exclude-newer "7 days"' in MAKEFILE
    installs = [line for line in MAKEFILE.splitlines() if "$(INSTALL)" in line and " -r " in line]
    assert installs
    assert all("--require-hashes" in line for line in installs)


def test_an_audit_that_cannot_ask_fails() -> None:  # SEC-14
    (audit,) = [line for line in MAKEFILE.splitlines() if "pip_audit" in line]
    assert " --strict " in audit
    assert not audit.lstrip().startswith("-")
    assert "||" not in audit
