"""A suite on a real Dask cluster of two processes: each shard is done once, with the numbers of one process."""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path
from typing import Any

import pytest

from haetae.settings import load_settings
from haetae.workbench.bench import Workbench

pytestmark = [
    pytest.mark.real,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),  # of Dask and Prefect
]
SAMPLES, SHARDS = 40, 5
ANSWERING = """
import os
from pathlib import Path

def answer(input):
    with (Path(__file__).parent / "asked").open("a") as asked:
        asked.write(f"{os.getpid()}\\n")
    return input.replace("question", "answer")
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "answering.py").write_text(ANSWERING)
    rows = (
        {"id": f"s{n}", "input": f"question {n}", "reference": f"answer {n if n % 4 else 0}"} for n in range(SAMPLES)
    )
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "suite: bot\ndataset: samples.jsonl\ntarget: { function: 'answering:answer' }\n"
        "metrics: { exact: exact_match, chrf: chrf }\n"
    )
    monkeypatch.setenv("HAETAE_HOME", str(tmp_path / "home"))
    return suite


def test_its_workers_share_the_run_and_this_process_ends_it(prefect_server: Any, suite: Path) -> None:
    from haetae.flows.on_dask import on_dask

    try:
        state = on_dask(str(suite), hands=2, shards=SHARDS, return_state=True)
    finally:
        gc.collect()  # Prefect leaves sockets to the collector: here, not in somebody else's test
    assert state.is_completed(), state.message
    asked = (suite.parent / "asked").read_text().split()
    assert len(asked) == SAMPLES
    assert str(os.getpid()) not in asked  # the workers did it, and left nothing to whoever ends the run
    with Workbench(load_settings()) as bench:
        (run,) = bench.ledger.runs("bot")
        shards = bench.ledger.shards(run.id)
        shared = bench.report(run.id)
        alone = bench.run(suite, fresh=True)
    assert [shard.ended for shard in shards] == [True] * SHARDS
    assert sum(shard.spent["calls"] for shard in shards) == SAMPLES  # no sample was asked twice
    assert [estimate.as_json() for estimate in shared.estimates] == [estimate.as_json() for estimate in alone.estimates]
