"""haetae gate on two score files: how little it loads, and what its help says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_HEAVY = {
    *("scipy", "pandas", "pydantic", "pydantic_core", "sqlalchemy", "sqlmodel", "aiohttp", "asyncio", "rich"),
    *("jinja2", "yaml", "sacrebleu"),
}


def test_a_gate_on_score_files_loads_numpy_and_nothing_heavier(tmp_path: Path) -> None:
    for file in ("a.jsonl", "b.jsonl"):
        rows = ({"id": str(n), "metric": "m", "score": n % 10 / 10, "tags": {"k": str(n % 2)}} for n in range(100))
        (tmp_path / file).write_text("".join(json.dumps(row) + "\n" for row in rows))
    code = (
        "import sys; sys.argv = ['haetae', 'gate', '--baseline-scores', 'a.jsonl', '--candidate-scores', 'b.jsonl',"
        " '--margin', '0.1', '--json']; from haetae.cli.main import main; main()"
    )
    command = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["verdict"] == "pass"
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert {"numpy", "orjson", "click"} <= imported
    assert not imported & _HEAVY


def test_the_help_says_what_a_line_of_a_score_file_is(haetae: Any) -> None:
    said = haetae("gate", "--help")
    assert said.code == 0
    assert "Usage: haetae gate [OPTIONS] [SUITE]" in said.out
    text = " ".join(said.out.split())
    assert '{"id", "metric", "score": number or null}' in text
    assert "--scale-of METRIC=LOW:HIGH" in text
    assert "Default: the tags with 2 to 20 values." in text


@pytest.mark.parametrize("option", [("--scale", "-1e308", "1e308"), ("--scale-of", "m=0:1e308")])
def test_a_scale_too_wide_to_be_divided_by_is_refused(haetae: Any, option: tuple[str, ...]) -> None:
    """On it every difference would be 0, and everything would pass."""
    said = haetae("gate", "--baseline-scores", "a.jsonl", "--candidate-scores", "b.jsonl", *option)
    assert said.code == 2
    assert "the scale is at most 1e+100 wide" in said.err
