"""A model in a folder of the project: registered, checked, run as target and as metric, compared with its twin."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

import pytest

from haetae.core.clock import SystemClock
from haetae.core.local_spec import LocalSpec
from haetae.core.run import RunStatus
from haetae.core.verdict import Verdict
from haetae.errors import ConfigError, MissingExtra
from haetae.settings import load_settings
from haetae.workbench.bench import Workbench
from haetae.workbench.local_models import local_model

WORDS = ["server", "answers", "every", "request", "job", "waits", "queue", "주문", "상품", "결제", "배송", "문자"]


@pytest.fixture
def bench(tmp_path: Path, tiny_lm: Path) -> Iterator[Workbench]:
    """A project with the tiny model in models/tiny and 24 samples."""
    (tmp_path / "pyproject.toml").touch()
    shutil.copytree(tiny_lm, tmp_path / "models" / "tiny")
    rows = [
        {
            "id": f"s{n:02}",
            "input": f"What about {WORDS[n % 12]}?",
            "reference": " ".join(WORDS[(n * step) % 12] for step in range(1, 3 + n % 5)),
            "metadata": {"length": "long" if n % 5 > 2 else "short"},
        }
        for n in range(24)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    outputs = [{"id": row["id"], "output": row["reference"]} for row in rows]
    (tmp_path / "outputs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in outputs))
    with Workbench(load_settings({}, tmp_path)) as made:
        yield made


@pytest.fixture
def registered(bench: Workbench, tmp_path: Path) -> Callable[..., None]:
    """registered(dtype="bfloat16"): a version of the model `lm`."""

    def register(**spec: str | int) -> None:
        lines = "".join(f"{name}: {value}\n" for name, value in spec.items())
        (tmp_path / "models" / "lm.yaml").write_text(f"path: tiny\nparameters: {{ max_tokens: 1 }}\n{lines}")
        bench.register("model", tmp_path / "models" / "lm.yaml")

    return register


@pytest.fixture
def suite(tmp_path: Path) -> Callable[..., Path]:
    def make(target: str, metrics: str, gate: str = "", more: str = "") -> Path:
        file = tmp_path / "suite.yaml"
        gated = f"gate: {{ metrics: {{ {gate} }} }}\n" if gate else ""
        head = f"suite: lm\ndataset: rows.jsonl\ntarget: {target}\nslices: [length]\n"
        file.write_text(f"{head}metrics:\n{metrics}{gated}{more}")
        return file

    return make


REFERENCE = "  ppl: { perplexity: reference, given: prompt, model: lm }\n"
BYTES = "  bits: { perplexity: reference, unit: byte, average: corpus, model: lm }\n"
OUTPUT = "  fluent: { perplexity: output, model: lm }\n"
OUTPUTS = "{ outputs: outputs.jsonl }"


def test_a_suite_of_perplexities_runs_end_to_end(
    bench: Workbench, registered: Callable[..., None], suite: Callable[..., Path]
) -> None:
    registered()
    report = bench.run(suite("{ model: lm }", REFERENCE + BYTES + OUTPUT))
    assert report.run.status is RunStatus.FINISHED
    whole = {found.metric: found for found in report.estimates if not found.slice}
    assert (whole["ppl"].n, whole["bits"].n, whole["ppl"].method) == (24, 24, "bootstrap")
    table = bench.ledger.table(report.run.id, "bits")
    assert table.stats is not None
    nll, _, _, size = table.stats.sum(axis=0)
    assert whole["bits"].value == pytest.approx(nll / size / math.log(2))
    assert whole["fluent"].n == 0  # one token is no whole answer of this model: each was cut off
    assert [account.unscored for account in report.accounting if account.metric == "fluent"] == [{"not_generated": 24}]
    slices = {found.slice: found.value for found in report.estimates if found.metric == "bits"}
    assert len(slices) == 3
    assert min(slices.values()) < slices[""] < max(slices.values())  # type: ignore[type-var]  # all have a value
    assert report.spent.cost_usd == 0.0
    assert bench.report(report.run.id).estimates == report.estimates


def test_of_recorded_outputs_the_perplexity_is_that_of_the_same_references(
    bench: Workbench, registered: Callable[..., None], suite: Callable[..., Path]
) -> None:
    registered()
    report = bench.run(
        suite(OUTPUTS, "  out: { perplexity: output, model: lm }\n  ref: { perplexity: reference, model: lm }\n")
    )
    values = [found.value for found in report.estimates if not found.slice]
    assert values[0] == pytest.approx(values[1], rel=1e-6)
    assert report.spent.calls == 48


def test_a_check_loads_no_model_and_foresees_no_cost(
    bench: Workbench, registered: Callable[..., None], suite: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    registered()
    monkeypatch.setattr("haetae.targets.local.Local._run", None)
    plan = bench.check(suite("{ model: lm }", REFERENCE + OUTPUT, more="budget: { usd: 1 }\n"))
    assert (plan.spending.calls, plan.spending.cost_usd) == (72, 0.0)
    assert plan.judged_metrics == ()


def test_a_model_and_its_twin_of_half_precision_are_compared(
    bench: Workbench, registered: Callable[..., None], suite: Callable[..., Path]
) -> None:
    registered()
    file = suite(OUTPUTS, BYTES, "bits: { max_drop: 0.05 }")
    bench.promote(bench.run(file).run.id)
    registered(dtype="bfloat16")
    report = bench.gate(file)
    assert report.comparison is not None
    assert report.comparison.verdict is not Verdict.NO_VERDICT
    (found,) = report.comparison.differences
    assert found.n == 24
    assert 0 < abs(found.candidate - found.baseline) < 0.01  # type: ignore[operator]  # both have a value
    assert "metrics.bits.model.dtype: float32 → bfloat16" in report.text
    assert "  what moved: model" in report.text.splitlines()


def test_answers_measured_by_another_model_are_not_compared(
    bench: Workbench, registered: Callable[..., None], suite: Callable[..., Path]
) -> None:
    registered()
    file = suite(OUTPUTS, OUTPUT, "fluent: { max_drop: 1.0 }")
    bench.promote(bench.run(file).run.id)
    registered(dtype="bfloat16")
    report = bench.gate(file)
    assert report.comparison is not None
    assert report.comparison.verdict is Verdict.NO_VERDICT
    assert "metrics.fluent.signature.model" in report.text


def test_the_same_question_is_not_computed_twice(
    bench: Workbench, registered: Callable[..., None], suite: Callable[..., Path]
) -> None:
    registered()
    first = bench.run(suite(OUTPUTS, BYTES + OUTPUT))
    again = bench.run(suite(OUTPUTS, BYTES + OUTPUT))
    assert (first.spent.calls, again.spent.calls) == (48, 0)
    assert [found.value for found in again.estimates] == [found.value for found in first.estimates]
    registered(stride=16)
    assert bench.run(suite(OUTPUTS, BYTES + OUTPUT)).spent.calls == 48


def test_one_model_that_is_target_and_metric_is_loaded_once(
    bench: Workbench, registered: Callable[..., None], suite: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from haetae.targets import causal

    loaded: list[Path] = []
    kept = causal.Causal.__init__

    def counted(self: causal.Causal, folder: Path, *rest: object) -> None:
        loaded.append(folder)
        kept(self, folder, *rest)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(causal.Causal, "__init__", counted)
    registered()
    bench.run(suite("{ model: lm }", REFERENCE + OUTPUT))
    assert len(loaded) == 1


def test_a_folder_that_changed_since_it_was_registered_is_refused(
    bench: Workbench, registered: Callable[..., None], suite: Callable[..., Path], tmp_path: Path
) -> None:
    registered()
    with (tmp_path / "models" / "tiny" / "model.safetensors").open("ab") as weights:
        weights.write(b"\0")
    with pytest.raises(ConfigError, match=r"models/tiny is no longer what was registered as lm; register it again"):
        bench.check(suite(OUTPUTS, BYTES))


@pytest.mark.parametrize(
    ("spec", "said"),
    [({"window": 65}, "window 65 is over the 64 tokens"), ({"stride": 64}, "stride 64 is not below the window")],
)
def test_a_window_that_cannot_be_is_said_before_the_first_call(
    spec: dict[str, int], said: str, bench: Workbench, registered: Callable[..., None], suite: Callable[..., Path]
) -> None:
    registered(**spec)
    with pytest.raises(ConfigError, match=said):
        bench.check(suite(OUTPUTS, BYTES))


def test_libraries_and_batches_which_change_last_digits_are_in_the_fingerprint(
    bench: Workbench, tmp_path: Path
) -> None:
    def fingerprint(**spec: int) -> Mapping[str, object]:
        return local_model("lm@1", LocalSpec(path="models/tiny", **spec), tmp_path, SystemClock()).fingerprint

    told = fingerprint()
    assert (told["torch"], told["transformers"]) == (version("torch"), version("transformers"))
    assert (told["batch_tokens"], fingerprint(batch_tokens=64)["batch_tokens"]) == (512, 64)


def test_without_torch_the_extra_is_named(
    bench: Workbench, registered: Callable[..., None], suite: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    registered()
    monkeypatch.setattr("haetae.workbench.local_models.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"torch is not installed.*'\.\[hf\]'"):
        bench.check(suite(OUTPUTS, BYTES))
    assert issubclass(MissingExtra, ConfigError)


def test_weights_that_cannot_be_read_stop_the_run_with_the_reason(
    bench: Workbench, registered: Callable[..., None], suite: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "models" / "tiny" / "model.safetensors").write_bytes(b"\0" * 64)
    registered()
    report = bench.run(suite(OUTPUTS, BYTES))
    assert report.run.status is RunStatus.STOPPED
    assert "the model in tiny failed" in (report.run.note or "")
