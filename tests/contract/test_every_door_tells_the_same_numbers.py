"""One suite, asked through every door: each tells what the ledger holds, exactly.

The models are the demonstration server's; Prefect, MLflow and W&B are the real ones, and each is read
back with its own means.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest

from haetae import Report, Workbench
from haetae.core.generation import Generation
from haetae.demo.server import DemoServer
from haetae.workbench.shipped import shipped

pytestmark = [
    pytest.mark.real,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # of Prefect's and MLflow's own clients
]

SUITE = """\
suite: docs
dataset: samples.jsonl
target: { model: answerer@production, prompt: answer@production }
judge: judge@production
metrics:
  rouge: { rouge: L }
  chrf: chrf
  faithful: faithfulness
  helpful: { judge: prompts/helpful.yaml, scale: [1, 5] }
  cost: cost_usd
slices: [topic]
limit: 24
gate:
  metrics:
    rouge: { max_drop: 0.15, by: topic }
    helpful: { max_drop: 0.15 }
track: [mlflow, wandb]
"""
MODELS = {"answerer": "extractive-answerer", "judge": "lexical-judge"}


@dataclass(frozen=True)
class World:
    """A suite, its server, and the report of a tracked run that was compared with a promoted one."""

    folder: Path
    suite: Path
    report: Report


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    """The demonstration server, in a thread with an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = DemoServer()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result()
    yield server
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(scope="module")
def world(server: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("doors")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("HAETAE_", "WANDB_", "MLFLOW_TRACKING"))]:
            patch.delenv(name)
        for name in ("DATA", "CACHE", "CONFIG"):
            patch.setenv(f"WANDB_{name}_DIR", str(folder / name.lower()))
        patch.setenv("HAETAE_HOME", str(folder / "home"))
        patch.setenv("HAETAE_MLFLOW", f"sqlite:///{folder / 'mlflow.db'}")
        patch.setenv("DOORS_URL", server.base_url)
        patch.chdir(folder)
        suite = _written(folder)
        with Workbench() as bench:
            for name, model in MODELS.items():
                file = folder / f"{name}.yaml"
                file.write_text(f"base_url: ${{DOORS_URL}}\nmodel: {model}\nprice: {{ input: 0.15, output: 0.6 }}\n")
                bench.alias("model", bench.register("model", file)[0].reference, "production")
            prompt, _ = bench.register("prompt", folder / "prompts" / "answer.v1.yaml", "answer")
            bench.alias("prompt", prompt.reference, "production")
            bench.promote(bench.run(suite, track=False).run.id)
            report = bench.run(suite)
        yield World(folder, suite, report)


def _written(folder: Path) -> Path:
    """The suite's files in a project of their own."""
    (folder / "prompts").mkdir()
    for name in ("samples.jsonl", "prompts/answer.v1.yaml", "prompts/helpful.yaml"):
        (folder / name).write_bytes((shipped("docs-en") / name).read_bytes())
    (folder / "suite.yaml").write_text(SUITE)
    return folder / "suite.yaml"


@pytest.fixture
def bench(world: World) -> Iterator[Workbench]:
    with Workbench() as bench:
        yield bench


def ledgers(bench, run_id):
    """The estimates of a run as the ledger holds them."""
    return [estimate.as_json() for estimate in bench.ledger.estimates(run_id)]


def test_the_report_of_python_is_the_ledgers(world, bench):
    run = world.report.run
    assert [estimate.as_json() for estimate in world.report.estimates] == ledgers(bench, run.id)
    assert world.report.comparison == bench.ledger.comparison(run.id)
    assert list(world.report.accounting) == list(bench.ledger.accounting(run.id))
    assert world.report.spent == bench.ledger.spent(run.id)
    assert world.report.verdict is not None


def test_the_ledgers_estimates_are_the_means_of_its_rows(world, bench):
    results = bench.ledger.results(world.report.run.id)
    whole = {e.metric: e for e in bench.ledger.estimates(world.report.run.id) if not e.slice}
    assert len(results) == 24
    for metric in ("rouge", "faithful", "helpful", "cost"):
        values = [r.scores[metric].score.value for r in results if r.scores[metric].score.value is not None]
        assert whole[metric].n == len(values)
        assert whole[metric].value == pytest.approx(sum(values) / len(values), rel=1e-12)


def test_the_command_line_tells_the_ledgers_numbers(world, bench):
    command = ["-c", "from haetae.cli.main import main; main()", "run", str(world.suite)]
    options = ["--json", "--quiet", "--no-track"]
    done = subprocess.run([sys.executable, *command, *options], capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    assert told["run"] != world.report.run.id
    assert told["estimates"] == ledgers(bench, told["run"])
    assert told["comparison"] == bench.ledger.comparison(told["run"]).as_json()
    assert told["verdict"] == world.report.verdict.value
    assert done.returncode == world.report.exit_code
    assert told["estimates"] == ledgers(bench, world.report.run.id)  # the same answers, so the same numbers


def test_the_junit_of_a_gate_tells_the_ledgers_numbers(world, bench):
    command = ["-c", "from haetae.cli.main import main; main()", "gate", str(world.suite)]
    options = ["--quiet", "--junit", str(world.folder / "junit.xml")]
    done = subprocess.run([sys.executable, *command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == world.report.exit_code
    cases = ElementTree.parse(world.folder / "junit.xml").iter("testcase")  # noqa: S314  # a file of our own
    told = [{p.get("name").removeprefix("haetae."): p.get("value") for p in case.iter("property")} for case in cases]
    said = bench.ledger.comparison(told[0]["run"])
    assert [(t["metric"], t["slice"]) for t in told] == [(d.metric, d.slice) for d in said.differences]
    for t, d in zip(told, said.differences, strict=True):
        assert [float(t[name]) for name in ("baseline", "candidate", "delta")] == [d.baseline, d.candidate, d.delta]
        assert [float(t[name]) for name in ("ci_low", "ci_high") if name in t] == [
            end for end in (d.low, d.high) if end is not None
        ]


def test_the_prefect_flow_tells_the_ledgers_numbers(world, bench, prefect_server):
    flow_run, artifacts = _flow(world.suite)
    run_id = flow_run.state.message.partition(":")[0]
    names = {"pass": "Passed", "inconclusive": "Inconclusive", "regression": "Regressed", "no verdict": "NoVerdict"}
    said = bench.ledger.comparison(run_id)
    assert flow_run.state.name == names[said.verdict]
    assert flow_run.state.message == f"{run_id}: {said.reason}"
    assert json.loads(artifacts["estimates-docs"].data) == ledgers(bench, run_id)
    shown = artifacts["verdict-docs"].data
    assert f": {bench.ledger.run(run_id).suite}\n" in shown
    assert said.reason in shown
    assert bench.report(run_id).text in shown
    assert bench.ledger.run(run_id).manifest.epoch  # asked afresh, and the server answers the same
    assert ledgers(bench, run_id) == ledgers(bench, world.report.run.id)


def _flow(suite: Path):
    from haetae.flows.evaluate import evaluate

    async def ask(state):
        from prefect.client.orchestration import get_client
        from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

        async with get_client() as client:
            flow_run = await client.read_flow_run(state.state_details.flow_run_id)
            mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run.id]))
            artifacts = await client.read_artifacts(artifact_filter=mine)
        return flow_run, {artifact.key: artifact for artifact in artifacts if artifact.key}

    try:
        return asyncio.run(ask(evaluate(str(suite), return_state=True)))
    finally:
        gc.collect()  # Prefect leaves sockets to the collector: here, not in somebody else's test


def expected_numbers(bench, run_id, equals="="):
    """What a tracker should hold of a run, by name; `equals` is how it writes the `=` of a slice."""
    out = {}
    for e in bench.ledger.estimates(run_id):
        name = e.metric + (f"/{e.slice.replace('=', equals)}" if e.slice else "")
        out |= {name: e.value, f"{name}.low": e.low, f"{name}.high": e.high, f"{name}.n": e.n}
        out[f"{name}.unscored"] = e.unscored
    for account in bench.ledger.accounting(run_id):
        out[f"{account.metric}.not_run"] = account.not_run
    spent = bench.ledger.spent(run_id)
    for field in ("calls", "tokens", "cost_usd", "reused", "retried"):
        out[f"run/{field}"] = getattr(spent, field)
    return {name: value for name, value in out.items() if value is not None}


def expected_rows(bench, run_id):
    """The rows of a run as the ledger holds them: what every table of samples must show."""
    rows = []
    for result in bench.ledger.results(run_id):
        answer = result.generation.result
        assert isinstance(answer, Generation)
        row = {"sample_id": result.sample.id, "input": result.sample.input, "output": answer.output}
        row |= {"reference": result.sample.references[0], "repeat": 0, "latency_s": answer.latency_s}
        rows.append(row | {name: scored.score.value for name, scored in result.scores.items()})
    return rows


def is_row(told, expected):
    return {name: told[name] for name in expected} == expected


@pytest.fixture(scope="module")
def mlflow_run(world: World):
    """The run as MLflow's own client reads it back."""
    from mlflow import MlflowClient

    client = MlflowClient(os.environ["HAETAE_MLFLOW"])
    experiment = client.get_experiment_by_name("haetae/docs")
    (run,) = client.search_runs([experiment.experiment_id], f"tags.`haetae.run` = '{world.report.run.id}'")
    return client, client.get_run(run.info.run_id)  # a search leaves the inputs out


def test_mlflow_holds_the_ledgers_numbers(world, bench, mlflow_run):
    _, run = mlflow_run
    assert run.data.metrics == expected_numbers(bench, world.report.run.id, ":")
    assert run.info.status == "FINISHED"


def test_mlflow_holds_what_fixed_them(world, bench, mlflow_run):
    client, run = mlflow_run
    ours = world.report.run
    params = run.data.params
    assert params["manifest"] == ours.manifest.digest
    assert params["dataset.version"] == ours.manifest.dataset["version"]
    assert (params["suite.target.model"], params["suite.limit"]) == ("answerer@production", "24")
    assert {n: params[f"metric.{n}"] for n in ours.manifest.metrics} == {
        name: facts.text for name, facts in ours.manifest.metrics.items()
    }
    tags, said = run.data.tags, bench.ledger.comparison(ours.id)
    assert (tags["haetae.verdict"], tags["haetae.reason"]) == (said.verdict.value, said.reason)
    assert (tags["haetae.baseline"], tags["haetae.prompt"]) == (", ".join(said.baseline), "answer@1")
    assert set(tags["haetae.model"].split(", ")) == {"answerer@1", "judge@1"}
    (dataset,) = run.inputs.dataset_inputs
    version = ours.manifest.dataset["version"].removeprefix("sha256:")
    assert (dataset.dataset.name, dataset.dataset.digest) == (ours.manifest.dataset["name"], version[:36])
    assert version in dataset.dataset.source
    models = [client.get_logged_model(m.model_id) for m in run.inputs.model_inputs]
    assert {model.name: model.params["model"] for model in models} == MODELS


def test_mlflow_holds_the_ledgers_rows(world, bench, mlflow_run):
    client, run = mlflow_run
    rows = pq.read_table(client.download_artifacts(run.info.run_id, "samples.parquet")).to_pylist()
    expected = expected_rows(bench, world.report.run.id)
    assert len(rows) == len(expected) == 24
    assert all(is_row(told, row) for told, row in zip(rows, expected, strict=True))


@pytest.fixture(scope="module")
def wandb_run(world: World):
    """What W&B's file says: config, summary and the table of samples."""
    from haetae.trackers.wandb import entries

    (folder,) = (Path(note.partition(": ")[2]) for note in world.report.notes if note.startswith("wandb: "))
    config, summary = {}, {}
    (file,) = folder.glob("run-*.wandb")
    for entry in entries(file):
        config |= {change.key: json.loads(change.value_json) for change in entry.run.config.update}
        for change in entry.summary.update:
            summary[change.key or ".".join(change.nested_key)] = json.loads(change.value_json)
    (table,) = folder.glob("files/media/table/*.table.json")
    shown = json.loads(table.read_text("utf-8"))
    return config, summary, [dict(zip(shown["columns"], row, strict=True)) for row in shown["data"]]


def test_wandb_holds_the_ledgers_numbers_and_what_fixed_them(world, bench, wandb_run):
    config, summary, _ = wandb_run
    expected = expected_numbers(bench, world.report.run.id)
    assert {name: summary[name] for name in expected} == expected
    said = bench.ledger.comparison(world.report.run.id)
    assert (summary["haetae.verdict"], summary["haetae.reason"]) == (said.verdict.value, said.reason)
    assert config["manifest"] == world.report.run.manifest.digest
    assert config["dataset.version"] == world.report.run.manifest.dataset["version"]
    assert config["suite.target.prompt"] == "answer@production"


def test_wandb_holds_the_ledgers_rows(world, bench, wandb_run):
    _, _, rows = wandb_run
    expected = expected_rows(bench, world.report.run.id)
    assert len(rows) == len(expected) == 24
    assert all(is_row(told, row) for told, row in zip(rows, expected, strict=True))


def test_a_suite_may_take_its_model_and_prompt_from_mlflow(world, bench):
    """What a tracked run has mirrored there is found there, by the aliases that a sync moved there, and is pinned."""
    assert bench.sync_registry().whole
    suite = world.folder / "from-mlflow.yaml"
    text = SUITE.replace("suite: docs", "suite: from-mlflow").replace("track: [mlflow, wandb]", "track: [mlflow]")
    for name in ("answerer", "judge", "answer"):
        text = text.replace(f" {name}@production", f" mlflow:{name}@production")
    suite.write_text(text)
    report = bench.run(suite)
    assert dict(report.run.manifest.references) == {
        f"mlflow:{name}@production": f"mlflow:{name}@1" for name in ("answer", "answerer", "judge")
    }
    values = {(e.metric, e.slice): e.value for e in report.estimates}
    assert values == {(e.metric, e.slice): e.value for e in world.report.estimates}
    assert any(note.startswith("mlflow: runs:/") for note in report.notes), report.notes


def test_an_alias_that_moves_in_mlflow_is_followed_by_the_next_run(world, bench, mlflow_run):
    client, _ = mlflow_run
    suite = world.folder / "moving.yaml"
    text = SUITE.replace("suite: docs", "suite: moving").replace("limit: 24", "limit: 2").partition("track")[0]
    suite.write_text(text.replace(" answer@production", " mlflow:answer@candidate"))
    client.set_prompt_alias("answer", "candidate", 1)
    before = bench.run(suite).run
    terse = [{"role": "user", "content": "{{ input }}\n{% for passage in contexts %}{{ passage }}\n{% endfor %}"}]
    client.set_prompt_alias("answer", "candidate", client.register_prompt("answer", terse).version)
    after = bench.run(suite).run
    assert before.manifest.references["mlflow:answer@candidate"] == "mlflow:answer@1"
    assert after.manifest.references["mlflow:answer@candidate"] == "mlflow:answer@2"
    assert before.manifest.target != after.manifest.target
