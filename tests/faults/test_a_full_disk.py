"""A disk that fills up while a ledger is opened, migrated, written or put in order loses nothing.

What happens is measured by `tests/bench/full_disk_bench.py`, on a small disk of its own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench" / "full_disk_bench.py"


def _alone() -> list[str]:
    """How to run a program that may mount what nobody else sees. Where that is not permitted the test is skipped."""
    unshare = shutil.which("unshare")
    user = [[], ["--map-root-user"]]  # root; or anybody, where the system lets them be root of their own
    tried = [[unshare, "--mount", *options] for options in user if unshare]
    for command in tried:
        mount = [*command, "sh", "-c", "mount -t tmpfs none /mnt"]
        if subprocess.run(mount, capture_output=True, check=False).returncode == 0:
            return command
    missing = "a small disk cannot be mounted here (unshare --mount)"
    pytest.skip(missing)


@pytest.mark.real
def test_a_disk_that_is_full_at_twenty_points_loses_nothing_says_so_and_lets_the_run_go_on() -> None:  # STO-06
    done = subprocess.run([*_alone(), sys.executable, str(BENCH)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    phases = re.findall(r"^\| (commit|checkpoint|opening|migration) \|.*\| 0 \| yes \| yes \|$", done.stdout, re.M)
    assert len(phases) == 20
    assert set(phases) == {"commit", "checkpoint", "opening", "migration"}
    assert "lost 0, clear message 20 of 20, went on 20 of 20" in done.stdout
