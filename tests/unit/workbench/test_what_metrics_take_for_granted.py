"""A label or a stage that a metric names and nobody has is found before the first call, at its place in the suite."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from haetae.catalog.dataset_file import DatasetFile
from haetae.errors import ConfigError
from haetae.settings import load_settings
from haetae.workbench.bench import Workbench

LABELS = ["harmful", "harmless", "harmful", "harmful", "harmless"]
GUARDS = """\
stages:
  - name: words
    rules: { patterns: [bomb] }
  - name: numbers
    rules: { patterns: ['[0-9]{6}'] }
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    """Over a project with a guard file and recorded outputs of a search."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "guards.yaml").write_text(GUARDS, "utf-8")
    label(tmp_path, [{"label": label, "language": "en"} for label in LABELS])
    stages = [[{"name": "hnsw", "retrieved": ["p1"]}], [{"name": "exact", "retrieved": ["p1"]}], [], [], []]
    rows = [{"id": f"s{n}", "output": "block", "stages": some} for n, some in enumerate(stages)]
    (tmp_path / "outputs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with Workbench(load_settings({"HAETAE_HOME": str(tmp_path / "home")})) as made:
        yield made


def label(folder: Path, metadata: list[dict[str, Any]]) -> None:
    """Write the dataset, with this metadata of its rows."""
    rows = [{"id": f"s{n}", "input": "a bomb", "metadata": one} for n, one in enumerate(metadata)]
    (folder / "g.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def said(bench: Workbench, metric: str, target: str = "guard: guards.yaml", more: str = "") -> list[str]:
    """What a check complains of, a line each."""
    suite = bench.settings.home.parent / "suite.yaml"
    text = f"suite: g\ndataset: g.jsonl\n{more}target: {{ {target} }}\nmetrics:\n  d: {metric}\n"
    suite.write_text(text, "utf-8")
    try:
        bench.check(suite)
    except ConfigError as exc:
        return [str(problem).partition("suite.yaml:")[2] for problem in exc.problems]
    return []


# labels


def test_a_mistyped_label_is_told_with_what_there_is(bench: Workbench) -> None:
    found = said(bench, "{ guard: false_positive_rate, positive: harmfull }")
    assert found == [
        "5:46: metrics.d.positive: no sample of g.jsonl has label = harmfull; found harmful 3, harmless 2; "
        "did you mean harmful?"
    ]


def test_the_default_that_no_sample_has_is_told_with_the_parameter_that_mends_it(bench: Workbench) -> None:
    assert said(bench, "{ guard: recall }") == [
        "5:15: metrics.d.guard: no sample of g.jsonl has label = block; found harmful 3, harmless 2; "
        "name another with positive:"
    ]
    assert said(bench, "guard/recall")[0].startswith("5:6: metrics.d: no sample of g.jsonl has label = block")


def test_a_mistyped_key_is_told_with_the_keys_that_there_are(bench: Workbench) -> None:
    assert said(bench, "{ guard: recall, label: lable, positive: harmful }") == [
        "5:30: metrics.d.label: no sample of g.jsonl has lable in its metadata; found label 5, language 5; "
        "did you mean label?"
    ]


@pytest.mark.parametrize("metadata", [{}, {"label": None}])
def test_samples_without_any_label_are_told_so(bench: Workbench, metadata: dict[str, Any]) -> None:
    label(bench.settings.home.parent, [metadata] * 3)
    (found,) = said(bench, "{ guard: recall, positive: harmful }")
    assert "no sample of g.jsonl has label in its metadata; found" in found


@pytest.mark.parametrize(
    ("there", "positive", "told"),
    [
        (["true", "false"], "true", 'has label = true; found "true" 1, "false" 1'),
        ([True, False], '"true"', 'has label = "true"; found true 1, false 1'),
        ([1, 0], "true", "has label = true; found 1 1, 0 1"),
    ],
)
def test_a_label_of_another_kind_is_not_the_label(bench: Workbench, there: list[Any], positive: str, told: str) -> None:
    label(bench.settings.home.parent, [{"label": one} for one in there])
    (found,) = said(bench, f"{{ guard: recall, positive: {positive} }}")
    assert told in found


def test_a_korean_label_is_found_in_either_form_of_unicode(bench: Workbench) -> None:
    label(bench.settings.home.parent, [{"판정": unicodedata.normalize("NFD", "유해")}, {"판정": "무해"}])
    assert said(bench, "{ guard: recall, label: 판정, positive: 유해 }") == []
    (found,) = said(bench, "{ guard: recall, label: 판정, positive: 유혜 }")
    assert "has 판정 = 유혜; found" in found


def test_many_labels_are_not_all_told(bench: Workbench) -> None:
    label(bench.settings.home.parent, [{"label": f"topic {n} {'x' * 100}"} for n in range(1_200)])
    (found,) = said(bench, "{ guard: recall, positive: harmful }")
    assert found.endswith(f"topic 7 {'x' * 51}… 1, …")
    assert len(found) < 1_000


@pytest.mark.parametrize("rate", ["accuracy", "false_positive_rate"])
def test_a_dataset_of_nothing_but_harmless_texts_has_a_rate_of_false_alarms(bench: Workbench, rate: str) -> None:
    label(bench.settings.home.parent, [{"label": "harmless"}] * 4)
    assert said(bench, f"{{ guard: {rate}, positive: harmful }}") == []
    assert len(said(bench, "{ guard: recall, positive: harmful }")) == 1


def test_a_limit_does_not_hide_the_label_that_stands_further_down(bench: Workbench) -> None:
    label(bench.settings.home.parent, [{"label": "harmless"}, {"label": "harmless"}, {"label": "harmful"}])
    assert said(bench, "{ guard: recall, positive: harmful }", more="limit: 2\n") == []


def test_only_a_suite_that_asks_for_labels_reads_its_dataset_for_them(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    whole = DatasetFile.whole

    def counted(dataset: DatasetFile) -> Iterator[Any]:
        for sample in whole(dataset):
            read.append(sample.id)
            yield sample

    monkeypatch.setattr(DatasetFile, "whole", counted)
    assert said(bench, "guard_reach/words") == []
    assert read == []
    assert said(bench, "{ guard: recall, positive: harmless }") == []
    assert read == ["s0", "s1"]  # the first that has it is enough


# stages


@pytest.mark.parametrize(
    ("metric", "place"),
    [
        ("guard_reach/wrods", "5:6: metrics.d"),
        ("latency_s/wrods", "5:6: metrics.d"),
        ("{ cost_usd: wrods }", "5:18: metrics.d.cost_usd"),
        ("{ guard: recall, positive: harmful, stage: wrods }", "5:49: metrics.d.stage"),
        ("{ retrieval: AP, stage: wrods }", "5:30: metrics.d.stage"),
    ],
)
def test_a_stage_that_the_guard_file_does_not_have_is_told(bench: Workbench, metric: str, place: str) -> None:
    told = "no stage is called wrods: guards.yaml has the stages words, numbers; did you mean words?"
    assert said(bench, metric) == [f"{place}: {told}"]


def test_a_stage_that_no_recorded_output_has_is_told_with_those_of_all(bench: Workbench) -> None:
    found = said(bench, "{ ann_recall: 10, stage: hnws, exact: exakt }", "outputs: outputs.jsonl")
    told = "outputs.jsonl has the stages hnsw, exact; did you mean"
    assert found == [
        f"5:31: metrics.d.stage: no stage is called hnws: {told} hnsw?",
        f"5:44: metrics.d.exact: no stage is called exakt: {told} exact?",
    ]
    assert said(bench, "{ ann_recall: 10, stage: hnsw, exact: exact }", "outputs: outputs.jsonl") == []


def test_answers_of_a_model_have_no_stages(bench: Workbench) -> None:
    model = bench.settings.home.parent / "llm.yaml"
    model.write_text("base_url: http://127.0.0.1:9/v1\nmodel: m\n", "utf-8")
    bench.register("model", model)
    assert said(bench, "latency_s/search", "model: llm") == [
        "5:6: metrics.d: no stage is called search: an answer of the model has no stages"
    ]
    assert said(bench, "latency_s", "model: llm") == []


def test_what_a_function_will_answer_is_not_known_before(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bench.settings.home.parent
    (folder / "granted_app.py").write_text('def answer(text):\n    """Says the same."""\n    return "block"\n', "utf-8")
    monkeypatch.syspath_prepend(str(folder))
    assert said(bench, "latency_s/search", "function: granted_app:answer") == []


APPLICATION = '''\
def answer(sample):
    """Goes on to the judge where the words do not decide."""
    stages = [{"name": "words", "flagged": True if sample.id == "s0" else None}]
    if sample.id in ("s1", "s2"):
        stages.append({"name": "judge", "flagged": False})
    return {"output": "block" if sample.id == "s0" else "pass", "stages": stages}
'''


def test_a_share_that_comes_to_a_stage_which_no_answer_of_a_function_had_is_none_and_not_0(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bench.settings.home.parent
    (folder / "reached_app.py").write_text(APPLICATION, "utf-8")
    monkeypatch.syspath_prepend(str(folder))
    assert said(bench, "guard_reach/jugde\n  right: guard_reach/judge", "function: reached_app:answer") == []
    report = bench.run(folder / "suite.yaml")
    found = {one.metric: (one.value, one.n, one.unscored) for one in report.estimates}
    assert found == {"d": (None, 0, 5), "right": (0.4, 5, 0)}
    scores = [row.scores["d"].score for row in bench.ledger.results(report.run.id)]
    told = "no answer of the run has a stage 'jugde'; there are words, judge; did you mean judge?"
    assert {(one.value, one.reason, one.explanation) for one in scores} == {(None, "not_measured", told)}
    assert told in report.text


def test_a_stage_of_a_guard_file_that_no_text_came_to_has_a_share_of_0(bench: Workbench) -> None:
    assert said(bench, "guard_reach/numbers") == []
    report = bench.run(bench.settings.home.parent / "suite.yaml")
    assert [(one.value, one.n) for one in report.estimates] == [(0.0, 5)]
