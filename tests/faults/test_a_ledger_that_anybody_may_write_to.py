"""Answers and scores are taken from the ledger again: one that anybody may write to is nobody's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from haetae.errors import ConfigError
from haetae.settings import load_settings
from haetae.store.health import findings
from haetae.workbench.bench import Workbench


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o757])
def test_a_home_that_anybody_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:  # SEC-23
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(mode)
    settings = load_settings({"HAETAE_HOME": str(home)})
    with Workbench(settings) as bench, pytest.raises(ConfigError) as refused:
        _ = bench.ledger
    said = f"anybody may write to {home}, so that what a ledger there holds may be anybody's; take that right from "
    assert str(refused.value) == said + f"others (chmod o-w {home}), or name a folder of your own with HAETAE_HOME"
    assert refused.value.exit_code == 2
    assert list(home.iterdir()) == []
    assert str(refused.value) in [
        finding.message for finding in findings(settings.ledger) if finding.level == "problem"
    ]


def test_a_ledger_file_that_anybody_may_write_to_is_refused(project: Any) -> None:  # SEC-23
    project.ledger_file.chmod(0o666)
    with project.bench() as bench, pytest.raises(ConfigError, match=r"anybody may write to .*ledger\.db"):
        bench.run(project.suite)
    project.ledger_file.chmod(0o664)  # a team that shares it by its group
    with project.bench() as bench:
        assert bench.run(project.suite).run.id == "bot.1"


def test_a_home_is_made_so_that_others_may_not_write_to_it(tmp_path: Path) -> None:  # SEC-23
    """Also where the mask of the process takes nothing away, as in the containers of some CI services."""
    before = os.umask(0)
    try:
        for _ in range(2):
            with Workbench(load_settings({"HAETAE_HOME": str(tmp_path / "home")})) as bench:
                assert bench.ledger.runs() == []
    finally:
        os.umask(before)
    assert (tmp_path / "home").stat().st_mode & 0o022 == 0
