"""A ledger on a disk that is mounted read-only is refused with its path and the reason, and is whole afterwards."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import datetime, json, subprocess, sys
from haetae.errors import HaetaeError
from haetae.settings import load_settings
from haetae.store.health import findings
from haetae.store.sql import open_ledger
from haetae.workbench.bench import Workbench
folder, suite = sys.argv[1:]
url = f"sqlite:///{folder}/ledger.db"

def mounted(options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)

def refused(what):
    try:
        what()
    except HaetaeError as exc:
        return [type(exc).__name__, exc.exit_code, str(exc)]
    return None

def run():
    with Workbench(load_settings({"HAETAE_HOME": folder})) as bench:
        bench.run(suite, track=False)

mounted("mode=755")
run()
mounted("remount,ro,mode=755")
said = {"run": refused(run), "open": refused(lambda: open_ledger(url))}
said["read"] = refused(lambda: open_ledger(url, readonly=True))  # even readers of a write-ahead log take notes
said["doctor"] = [finding.message for finding in findings(url) if finding.level == "problem"]
mounted("remount,rw,mode=755")
run()
with open_ledger(url, readonly=True) as ledger:
    said["later"] = sorted(run.id for run in ledger.runs())
subprocess.run(["umount", folder], check=True)
mounted("ro,mode=755")
said["nothing"] = refused(lambda: open_ledger(url))
subprocess.run(["umount", folder], check=True)
print(json.dumps(said))
"""


@pytest.mark.real
def test_a_ledger_on_a_read_only_disk_is_refused_and_whole_afterwards(tmp_path: Path) -> None:  # STO-07
    unshare = shutil.which("unshare")
    mount = [unshare or "", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"]
    if unshare is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        missing = "a disk cannot be mounted here (unshare --mount)"
        pytest.skip(missing)
    (tmp_path / "disk").mkdir()
    rows = [{"id": f"s{n}", "input": "q", "reference": "a", "output": "a"} for n in range(5)]
    for name, fields in (("samples", ("id", "input", "reference")), ("outputs", ("id", "output"))):
        lines = (json.dumps({field: row[field] for field in fields}) + "\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "suite: s\ndataset: samples.jsonl\ntarget: {outputs: outputs.jsonl}\nmetrics: {right: exact_match}\n"
    )
    command = [unshare, "--mount", sys.executable, "-c", _PROGRAM, str(tmp_path / "disk"), str(suite)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    path = str(tmp_path / "disk" / "ledger.db")
    for what in ("run", "open", "read", "nothing"):
        kind, code, text = said[what]
        assert (kind, code) == ("StoreError", 3)
        assert path in text
        assert "may not be written" in text or "may be written" in text, text
    assert any(path in problem for problem in said["doctor"])
    assert said["later"] == ["s.1", "s.2"]
