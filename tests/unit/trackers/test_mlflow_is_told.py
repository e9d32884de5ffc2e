"""MLflow is told of a run: read back through its own client, number by number."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from haetae.core.run import RunStatus
from haetae.core.verdict import Estimate
from haetae.errors import RegistryError, TrackerError


@pytest.fixture
def tracker(mlflow_uri):
    from haetae.trackers.mlflow import MlflowTracker

    return MlflowTracker(mlflow_uri)


@pytest.fixture
def client(mlflow_uri):
    from mlflow import MlflowClient

    return MlflowClient(mlflow_uri, registry_uri=mlflow_uri)


def all_runs(client):
    return client.search_runs([e.experiment_id for e in client.search_experiments()])


def told(client, receipt):
    return client.get_run(receipt.rpartition("/")[2])


def artifact(client, run, name) -> Path:
    return Path(client.download_artifacts(run.info.run_id, name))


def test_every_number_arrives_as_it_was(tracker, client, record):
    run = told(client, tracker.deliver(record, "key-1"))
    metrics = dict(run.data.metrics)
    for estimate in record.estimates:
        name = estimate.metric + (f"/{estimate.slice.replace('=', ':')}" if estimate.slice else "")
        if "배송" in name:  # renamed, see the next test
            continue
        sent = {"": estimate.value, ".low": estimate.low, ".high": estimate.high}
        sent |= {".n": estimate.n, ".unscored": estimate.unscored}
        for ending, value in sent.items():
            assert metrics.pop(name + ending, None) == value
    assert {name: metrics[name] for name in metrics if "배송" not in name} == {
        "rouge.not_run": 1.0,
        "polite.not_run": 1.0,
        "run/calls": 4.0,
        "run/tokens": 1234.0,
        "run/cost_usd": 0.0125,
        "run/reused": 1.0,
        "run/retried": 2.0,
    }


def test_the_run_has_its_name_times_status_and_verdict(tracker, client, record):
    run = told(client, tracker.deliver(record, "key-1"))
    assert (run.info.run_name, run.info.status) == ("support-bot.7", "FINISHED")
    assert run.info.start_time == record.run.started_at.timestamp() * 1000
    assert run.info.end_time == record.run.finished_at.timestamp() * 1000
    assert run.data.tags["haetae.verdict"] == "regression"
    assert run.data.tags["haetae.baseline"] == "support-bot.6"
    assert run.data.tags["haetae.moved"] == "prompt"
    assert run.data.tags["haetae.prompt"] == "support-answer@4"


def test_a_run_that_was_stopped_is_not_shown_as_finished(tracker, client, record):
    stopped = replace(record, run=replace(record.run, status=RunStatus.STOPPED), comparison=None)
    run = told(client, tracker.deliver(stopped, "key-1"))
    assert run.info.status == "FAILED"
    assert "haetae.verdict" not in run.data.tags


def test_dataset_model_and_prompt_are_linked(tracker, client, record):
    run = told(client, tracker.deliver(record, "key-1"))
    (dataset,) = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("support", "a" * 36)
    assert "a" * 64 in dataset.dataset.source
    assert [(tag.key, tag.value) for tag in dataset.tags] == [("mlflow.data.context", "eval")]
    (model,) = run.inputs.model_inputs
    assert client.get_logged_model(model.model_id).params["base_url"] == "http://127.0.0.1:9/v1"
    assert '"name": "support-answer"' in run.data.tags["mlflow.linkedPrompts"]


def test_the_table_of_samples_reads_back_row_by_row(tracker, client, record):
    run = told(client, tracker.deliver(record, "key-1"))
    first, failed, never = pq.read_table(artifact(client, run, "samples.parquet")).to_pylist()
    assert first == {
        "sample_id": "s1",
        "repeat": 0,
        "input": "어디에 있나요?",
        "output": "=HYPERLINK(1)",
        "reference": "여기",
        "reason": None,
        "latency_s": 0.5,
        "rouge": 0.4375,
        "rouge.reason": None,
        "rouge.explanation": None,
        "polite": None,
        "polite.reason": "judge_parse_failure",
        "polite.explanation": "said 'maybe'",
    }
    assert (failed["output"], failed["reason"], failed["reference"]) == (None, "timeout", '["a","b"]')
    assert (never["reason"], never["input"]) == ("not_run", "\\ud800 alone")


def test_a_second_delivery_of_a_key_is_a_no_op(tracker, client, record):  # TRK-05
    assert tracker.deliver(record, "key-1") == tracker.deliver(record, "key-1")
    assert len(all_runs(client)) == 1
    assert tracker.deliver(record, "key-2") != tracker.deliver(record, "key-1")
    assert len(all_runs(client)) == 2


@pytest.mark.parametrize("step", ["log_batch", "log_inputs", "log_text", "log_artifact", "set_terminated"])
def test_a_delivery_that_was_cut_off_is_completed_not_doubled(tracker, client, record, monkeypatch, step):  # TRK-12
    with monkeypatch.context() as cut:
        cut.setattr(tracker._client, step, _refuse)
        with pytest.raises(TrackerError, match="503"):
            tracker.deliver(record, "key-1")
    (half,) = all_runs(client)
    assert half.info.status == "RUNNING"
    run = told(client, tracker.deliver(record, "key-1"))
    assert [run.info.run_id for run in all_runs(client)] == [half.info.run_id]
    assert run.info.status == "FINISHED"
    assert run.data.metrics["rouge"] == 0.4375
    assert [m.value for m in client.get_metric_history(run.info.run_id, "rouge")] == [0.4375]
    assert len(client.search_model_versions("name = 'support-llm'")) == 1
    assert len(client.search_prompt_versions("support-answer")) == 1


def test_a_setting_that_is_there_already_stays_and_does_not_stop_the_rest(tracker, client, record, monkeypatch):
    with monkeypatch.context() as cut:
        cut.setattr(tracker._client, "log_inputs", _refuse)
        with pytest.raises(TrackerError):
            tracker.deliver(record, "key-1")
    reseeded = replace(record, run=replace(record.run, seed=6))  # MLflow refuses to change a parameter
    run = told(client, tracker.deliver(reseeded, "key-1"))
    assert (run.info.status, run.data.params["seed"]) == ("FINISHED", "5")


def _refuse(*args, **kwargs):
    raise ConnectionError("503 from a proxy")


def test_of_two_runs_created_at_once_for_one_key_one_is_left(tracker, client, record):
    experiment = client.create_experiment("haetae/support-bot")
    for _ in range(2):
        client.create_run(experiment, tags={"haetae.key": "key-1"})
    run = told(client, tracker.deliver(record, "key-1"))
    assert [one.info.run_id for one in all_runs(client)] == [run.info.run_id]
    assert run.info.status == "FINISHED"


def test_what_mlflow_cannot_hold_is_mapped_cut_or_left_out_with_a_note(tracker, client, record_with):  # TRK-06
    awkward = (
        Estimate("nan", "", float("nan"), float("-inf"), float("inf"), 3, 3, 0),
        Estimate("rouge", "topic=환불/배송?", 0.25, None, None, 4, 4, 1),
        *(Estimate("chrf", f"id={number}", number / 8, None, None, 1, 1, 0) for number in range(3_500)),
    )
    run = told(client, tracker.deliver(record_with(estimates=awkward), "key-1"))
    notes = json.loads(artifact(client, run, "notes.json").read_text("utf-8"))
    assert len(run.data.metrics) == 3_500 * 3 + 3 + 2 + 7
    assert all(run.data.metrics[f"chrf/id:{number}"] == number / 8 for number in range(3_500))
    assert notes["left_out"] == ["nan"]
    assert not {"nan", "nan.low", "nan.high"} & set(run.data.metrics)
    assert run.data.metrics[notes["renamed"]["rouge/topic=환불/배송?"]] == 0.25
    assert notes["truncated"] == {"target.system": 100_000}
    assert len(run.data.params["target.system"]) == 500


def test_no_secret_leaves_the_process(tracker, client, record, secret, tmp_path):  # TRK-10
    run = told(client, tracker.deliver(record, "key-1"))
    assert run.data.params["suite.api_key"] == "***"
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"mlflow.db", "samples.parquet", "suite.yaml", "notes.json"} <= {path.name for path in kept}
    table = pq.read_table(artifact(client, run, "samples.parquet")).to_pylist()  # compressed on disk
    for content in (*(path.read_bytes() for path in kept), str(table).encode()):
        assert secret.encode() not in content


def test_a_prompt_that_holds_a_secret_stays_here_and_its_run_arrives_all_the_same(
    tracker, client, record, version, secret, tmp_path
):  # TRK-10
    guard = version("prompt", "guard", [{"role": "user", "content": f"The key is {secret}. {{{{ input }}}}"}])
    with pytest.raises(RegistryError, match="holds what looks like a secret, which is not sent to MLflow"):
        tracker.push(guard)
    run = told(client, tracker.deliver(replace(record, versions=(*record.versions, guard)), "key-1"))
    assert run.info.status == "FINISHED"
    notes = json.loads(artifact(client, run, "notes.json").read_text("utf-8"))
    assert f"prompt {guard.reference}: it holds what looks like a secret" in "\n".join(notes["left_out"])
    assert all(secret.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_model_that_names_the_variable_of_its_key_is_mirrored_as_it_is(tracker, version):
    content = {"base_url": "${LAB_URL}/v1", "api_key": "${LAB_KEY}", "headers": {"Authorization": "Bearer ${LAB_KEY}"}}
    there, number = tracker.push(version("model", "lab", content))
    assert tracker.read("model", there, number) == content


def test_nothing_is_written_where_the_process_happens_to_stand(tracker, record, tmp_path):
    tracker.deliver(record, "key-1")
    assert list((tmp_path / "cwd").iterdir()) == []


def test_the_same_content_is_mirrored_once_and_a_new_one_is_a_new_version(tracker, client, version):
    ask = [{"role": "user", "content": "{{ input }}"}]
    first = version("prompt", "answer", ask, 1)
    assert tracker.mirror(first) == tracker.mirror(first) == "prompts:/answer/1"
    assert tracker.mirror(version("prompt", "answer", [*ask, *ask], 2)) == "prompts:/answer/2"
    model = version("model", "llm", {"model": "qwen", "seed": "7", "stop": ["a"], "temperature": 0.5}, 1)
    assert tracker.mirror(model) == tracker.mirror(model) == "models:/llm/1"


def test_what_was_mirrored_resolves_to_itself_type_by_type(tracker, version):
    content = {"base_url": "http://127.0.0.1:1/v1", "model": "7", "temperature": 0.5, "stop": ["a"], "seed": None}
    tracker.mirror(version("model", "llm", content, 1))
    assert tracker.resolve("model", "llm", None) == ("1", content)
    messages = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "{% if a %}{{ b }}{% endif %}"}]
    tracker.mirror(version("prompt", "answer", messages, 1))
    assert tracker.resolve("prompt", "answer", 1) == ("1", messages)


@pytest.mark.parametrize(("kind", "old", "new"), [
    ("model", {"model": "old"}, {"model": "new"}),
    ("prompt", [{"role": "user", "content": "old"}], [{"role": "user", "content": "new"}]),
])  # fmt: skip
def test_an_alias_that_moved_is_seen_at_once(tracker, client, version, kind, old, new):
    tracker.point(kind, *_alias(tracker.push(version(kind, "bot", old, 1))))
    assert "old" in str(tracker.resolve(kind, "bot", "production"))
    tracker.point(kind, *_alias(tracker.push(version(kind, "bot", new, 2))))
    assert "new" in str(tracker.resolve(kind, "bot", "production"))
    assert "old" in str(tracker.resolve(kind, "bot", 1))


def test_a_model_and_a_prompt_may_share_their_name(tracker, version):
    assert tracker.mirror(version("model", "bot", {"model": "qwen"})) == "models:/bot/1"
    prompt = version("prompt", "bot", [{"role": "user", "content": "hi"}])
    assert tracker.mirror(prompt) == tracker.mirror(prompt) == "prompts:/bot-prompt/1"


def _alias(pushed):
    name, number = pushed
    return name, "production", number


def test_telling_of_a_run_moves_no_alias_there(tracker, client, record):
    tracker.deliver(record, "key-1")
    assert client.get_registered_model("support-llm").aliases == {}


@pytest.mark.parametrize(("alias", "taken"), [
    ("champion", True), ("a-b_c", True),
    ("운영", True), ("latest", False), ("v2", False), ("V10", False), ("a.b", False),
])  # fmt: skip
def test_an_alias_that_mlflow_refuses_is_known_before_it_is_asked(tracker, client, version, alias, taken):
    assert tracker.takes_alias(alias) is taken
    name, number = tracker.push(version("model", "bot", {"model": "qwen"}))
    if taken:
        tracker.point("model", name, alias, number)
        assert {alias: int(n) for alias, n in client.get_registered_model("bot").aliases.items()} == {alias: 1}
    else:
        with pytest.raises(TrackerError):
            tracker.point("model", name, alias, number)


@pytest.mark.parametrize(("kind", "name", "selector"), [
    ("prompt", "nobody", None), ("prompt", "bot", None), ("model", "bot", "ghost"), ("model", "bot", 9),
    ("model", "bot", "sha256:0123456789"), ("dataset", "bot", 1),
    ("prompt", "answer", "ghost"), ("prompt", "answer", 9),
])  # fmt: skip
def test_what_is_not_there_is_a_registry_error_that_names_it(tracker, version, kind, name, selector):
    tracker.mirror(version("model", "bot", {"model": "qwen"}))
    tracker.mirror(version("prompt", "answer", [{"role": "user", "content": "hi"}]))
    with pytest.raises(RegistryError, match=f"mlflow:.*{kind if kind == 'dataset' else name}"):
        tracker.resolve(kind, name, selector)
