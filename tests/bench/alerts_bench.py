"""What a receiver of alerts adds to a scheduled run, where it is well, dead, slow, or a black hole.

    python tests/bench/alerts_bench.py

A suite of recorded outputs falls, so that each run raises one alert. Prints Markdown. Nothing here is an assertion.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "fakes"))
from outage import Outage, Weather
from receivers import Webhook

from haetae.core.alert_address import alert_addresses
from haetae.settings import Settings, load_settings
from haetae.workbench.bench import Workbench

_SUITE = """\
suite: bot
dataset: samples.jsonl
target: { outputs: outputs.jsonl }
metrics: { exact: exact_match }
gate: { metrics: { exact: { max_drop: 0.1 } } }
"""
_WEATHERS: tuple[Weather, ...] = ("there", "dead", "slow", "black hole", "unreachable")


def _project(folder: Path) -> Settings:
    """A suite whose baseline is right in all answers, and which is wrong in all from now on."""
    (folder / "pyproject.toml").touch()
    (folder / "suite.yaml").write_text(_SUITE)
    rows = [{"id": f"s{n}", "input": "q", "reference": "a"} for n in range(200)]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = load_settings({"HAETAE_HOME": str(folder / "home")})
    _answers(folder, "a")
    with Workbench(settings) as bench:
        bench.promote(bench.run(folder / "suite.yaml").run.id)
    _answers(folder, "b")
    return settings


def _answers(folder: Path, output: str) -> None:
    rows = [{"id": f"s{n}", "output": output} for n in range(200)]
    (folder / "outputs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _timed(folder: Path, settings: Settings) -> tuple[float, int]:
    """Seconds and exit code of a scheduled run."""
    with Workbench(settings) as bench:
        begin = time.perf_counter()
        report = bench.run(folder / "suite.yaml", fresh=True, tags={"due": "now"})
        return time.perf_counter() - begin, report.exit_code


def main() -> None:
    print("| receiver | run, s | without, s | exit | then sync | messages there |\n|---|--:|--:|--:|---|--:|")
    for weather in _WEATHERS:
        with tempfile.TemporaryDirectory() as made, Webhook() as hook, Outage(hook.port) as way:
            folder = Path(made)
            settings = _project(folder)
            without, _ = _timed(folder, settings)
            way.becomes(weather)
            addresses = alert_addresses(f"json://127.0.0.1:{way.port}/x")
            told = replace(settings, alerts=addresses, alerts_allow=("127.0.0.1",))
            took, code = _timed(folder, told)
            way.becomes("there")
            with Workbench(told) as bench:
                said = "; ".join(bench.sync()) or "nothing waits"
            print(f"| {weather} | {took:.2f} | {without:.2f} | {code} | {said} | {len(hook.got)} |", flush=True)


if __name__ == "__main__":
    main()
