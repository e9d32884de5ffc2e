"""Hugging Face evaluate in both directions: its modules score our suites, our metrics join its combinations."""

from __future__ import annotations

import asyncio
import json
import math
import os
import py_compile
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import cache_from_source, find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sacrebleu.metrics import CHRF

import haetae
from haetae.catalog.code_folder import locate_code
from haetae.core import reasons
from haetae.core.code_folder import CodeFolder
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.model import Likelihood
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.engine.scoring import score as scored
from haetae.errors import ConfigError, JudgeError
from haetae.metrics.measured import Latency
from haetae.metrics.perplexity import Perplexity
from haetae.metrics.reference.chrf import Chrf
from haetae.metrics.reference.rouge import Rouge
from haetae.metrics.reference.short_answers import ExactMatch, TokenF1
from haetae.settings import Settings, load_settings
from haetae.workbench.bench import Workbench

if find_spec("evaluate") is None:  # an extra, which CI installs; importing it here would bring torch along
    pytest.skip("evaluate is not installed", allow_module_level=True)
from haetae.metrics.huggingface.adapter import Evaluate, as_evaluate_metric
from haetae.metrics.huggingface.library import evaluate
from haetae.metrics.huggingface.module import load_module

MODULE = """\
import datasets
import evaluate

{before}

class {name}(evaluate.{kind}):
    def _info(self):
        return evaluate.{kind}Info(description="d", citation="", inputs_description="", features={features})

    def _compute(self, {columns}):
        {body}
"""
TEXT = 'datasets.Value("string")'


def write(
    folder: Path,
    body: str = 'return {"right": sum(p in r for p, r in zip(predictions, references)) / len(predictions)}',
    *,
    columns: Mapping[str, str] | None = None,
    kind: str = "Metric",
    before: str = "",
    features: str | None = None,
    more: str = "**rest",
) -> CodeFolder:
    """A module as people write them, in a folder of its own."""
    columns = {"predictions": TEXT, "references": f"datasets.Sequence({TEXT})"} if columns is None else columns
    listed = ", ".join(f'"{name}": {feature}' for name, feature in columns.items())
    folder.mkdir(parents=True, exist_ok=True)
    code = MODULE.format(
        before=before,
        name="Right",
        kind=kind,
        columns=", ".join([*columns, more]),
        body=body,
        features=features or f"datasets.Features({{{listed}}})",
    )
    (folder / f"{folder.name}.py").write_text(code, "utf-8")
    return CodeFolder(folder.name, folder.resolve())


def ask(metric: Any, output: str = "사과", *given: str, **parts: Any) -> Score:
    return asyncio.run(scored(metric, Sample("s1", "질문", given or ("사과", "배"), **parts), Generation(output)))


def test_a_module_scores_each_sample_by_itself(tmp_path: Path) -> None:
    metric = Evaluate(write(tmp_path / "right"))
    assert [ask(metric, output).value for output in ("사과", "배", "귤")] == [1.0, 1.0, 0.0]
    assert metric.facts.text == "evaluate(right)"
    assert metric.facts.needs == {"reference"}
    assert ask(metric, "x", " ").reason == reasons.MISSING_REFERENCE


def test_decomposed_korean_reaches_the_module_composed(tmp_path: Path) -> None:
    assert ask(Evaluate(write(tmp_path / "right")), "\u1109\u1161\u1100\u116a").value == 1.0


def test_the_numbers_are_those_of_evaluates_own_loader(tmp_path: Path) -> None:
    """The oracle is evaluate.load itself on the same folder, one row at a time."""
    overlap = 'return {"overlap": len(set(predictions[0].split()) & set(references[0].split())) / 7}'
    folder = write(tmp_path / "overlap", overlap, columns={"predictions": TEXT, "references": TEXT})
    code = (
        "import json, sys, evaluate\n"
        f"module = evaluate.load({str(folder.path)!r}, keep_in_memory=True)\n"
        "rows = json.load(sys.stdin)\n"
        "print(json.dumps([module.compute(predictions=[p], references=[r])['overlap'] for p, r in rows]))\n"
    )
    rows = [[f"a{n % 3} b{n % 5} 사과{n % 2}", f"a{n % 2} b{n % 4} 사과{n % 3}"] for n in range(40)]
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_EVALUATE_OFFLINE": "1"}
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.modules['transformers'] = None; import evaluate; del sys.modules['transformers']\n{code}",
        ],
        input=json.dumps(rows),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    metric = Evaluate(folder)
    assert [ask(metric, output, reference).value for output, reference in rows] == json.loads(done.stdout)


@pytest.mark.parametrize(
    ("columns", "seen"),
    [
        ({"predictions": TEXT, "references": TEXT}, "사과|사과"),
        ({"predictions": TEXT, "references": f"[{TEXT}]"}, "사과|['사과', '배']"),
        ({"predictions": TEXT}, "사과"),
        ({"sources": TEXT, "predictions": TEXT}, "질문|사과"),
    ],
)
def test_columns_are_filled_by_their_names_and_features(tmp_path: Path, columns: dict[str, str], seen: str) -> None:
    shown = "|".join(f"{{{name}[0]}}" for name in columns)
    body = f"pathlib.Path({str(tmp_path / 'seen.txt')!r}).write_text(f\"{shown}\", 'utf-8'); return {{'v': 1}}"
    metric = Evaluate(write(tmp_path / "seen", body, columns=columns, before="import pathlib"))
    assert ask(metric).value == 1.0
    assert (tmp_path / "seen.txt").read_text("utf-8") == seen
    assert ("reference" in metric.facts.needs) == ("references" in columns)


def test_a_measurement_takes_the_answer_as_its_data(tmp_path: Path) -> None:
    folder = write(tmp_path / "words", 'return {"n": len(data[0].split())}', columns={"data": TEXT}, kind="Measurement")
    assert ask(Evaluate(folder, scale=(0, 10)), "가 나 다").value == 3.0


def test_of_several_ways_the_first_that_can_be_filled_is_taken(tmp_path: Path) -> None:
    numbers = 'datasets.Features({"predictions": datasets.Value("int32"), "references": datasets.Value("int32")})'
    texts = f'datasets.Features({{"predictions": {TEXT}, "references": {TEXT}}})'
    body = 'return {"same": float(predictions == references)}'
    assert ask(Evaluate(write(tmp_path / "same", body, features=f"[{numbers}, {texts}]"))).value == 1.0


@pytest.mark.parametrize(
    "columns",
    [
        {"predictions": 'datasets.Value("int32")', "references": 'datasets.Value("int32")'},
        {"predictions": TEXT, "labels": TEXT},
        {"references": TEXT},
    ],
)
def test_a_module_that_texts_cannot_fill_is_refused(tmp_path: Path, columns: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"odd takes .*; Haetae fills predictions, references, sources, data with"):
        Evaluate(write(tmp_path / "odd", columns=columns))


@pytest.mark.parametrize(
    ("body", "which", "value"),
    [
        ('return {"a": 0.25}', None, 0.25),
        ('return {"a": 0.25, "b": 0.5, "note": "x"}', "b", 0.5),
        ('return {"scores": [0.5], "hash": "abc"}', None, 0.5),
        ('import numpy; return {"f1": numpy.float32(0.5), "each": numpy.array([0.25])}', "each", 0.25),
    ],
)
def test_the_value_is_the_number_at_the_key(tmp_path: Path, body: str, which: str | None, value: float) -> None:
    metric = Evaluate(write(tmp_path / "keyed", body), value=which)
    assert ask(metric).value == value
    assert metric.facts.text == (f"evaluate(keyed, value={which})" if which else "evaluate(keyed)")


@pytest.mark.parametrize(
    ("body", "which", "reason", "said"),
    [
        ('return {"a": 1, "b": 0}', None, "metric_raised", "the module returns are a, b; name one with value:"),
        ('return {"a": 1}', "b", "metric_raised", "the module returns are a; value 'b' is none of them"),
        ('return {"a": "x"}', None, "metric_raised", "the module returns are none"),
        ("return 0.5", None, "metric_raised", "the module returned float, not a mapping"),
        ('return {"a": 1.5}', None, "out_of_range", "1.5 is outside the scale 0.0 to 1.0"),
        ('return {"a": float("nan")}', None, "not_finite", "the metric returned nan"),
        (
            'raise ValueError("https://host/?token=canary")',
            None,
            "metric_raised",
            "ValueError: https://host/?token=***",
        ),
    ],
)
def test_what_is_no_value_is_unscored_with_the_reason(
    tmp_path: Path, body: str, which: str | None, reason: str, said: str
) -> None:
    found = ask(Evaluate(write(tmp_path / "odd", body), value=which))
    assert (found.value, found.reason) == (None, reason)
    assert said in str(found.explanation)


def test_a_row_that_failed_is_not_counted_with_the_next(tmp_path: Path) -> None:
    body = "assert predictions[0] != 'bad'; return {'rows': len(predictions)}"
    metric = Evaluate(write(tmp_path / "rows", body))
    assert [ask(metric, output).value for output in ("good", "bad", "good")] == [1.0, None, 1.0]


def test_rows_scored_at_once_do_not_mix(tmp_path: Path) -> None:
    metric = Evaluate(write(tmp_path / "rows", 'return {"rows": len(predictions)}'))

    async def many() -> list[Score]:
        answers = [Generation(str(n)) for n in range(20)]
        return await asyncio.gather(*(scored(metric, Sample("s", "q", ("r",)), answer) for answer in answers))

    assert {score.value for score in asyncio.run(many())} == {1.0}


def test_arguments_and_configuration_reach_the_module(tmp_path: Path) -> None:
    body = 'return {"v": weight if self.config_name == "strict" else 0}'
    folder = write(tmp_path / "weighed", body, more="weight=1.0")
    metric = Evaluate(folder, arguments={"weight": 0.5}, config="strict")
    assert ask(metric).value == 0.5
    assert metric.facts.text == 'evaluate(weighed, config=strict, arguments={"weight":0.5})'
    with pytest.raises(ConfigError, match="references comes from the samples, not from arguments"):
        Evaluate(folder, arguments={"references": []})


def test_chance_in_a_module_is_the_same_each_time(tmp_path: Path) -> None:
    folder = write(tmp_path / "chance", 'import numpy; return {"v": numpy.random.random()}')
    assert ask(Evaluate(folder)) == ask(Evaluate(folder))


def test_edited_code_is_another_metric(tmp_path: Path) -> None:
    (tmp_path / "right").mkdir()
    signatures = []
    for limit in (1, 2):
        (tmp_path / "right" / "helper.py").write_text(f"LIMIT = {limit}\n")
        folder = write(tmp_path / "right", "return {'v': LIMIT}", before="from .helper import LIMIT")
        metric = Evaluate(folder, scale=(0, 5))
        assert ask(metric).value == limit
        signatures.append(metric.facts.signature["code"])
    assert len(set(signatures)) == 2


@pytest.mark.parametrize(
    ("before", "body", "said"),
    [
        ("raise RuntimeError('password=hunter2hunter2')", "pass", "cannot be loaded: RuntimeError: password="),
        ("import sys; sys.exit(0)", "pass", "cannot be loaded: Left: SystemExit: 0"),
        ("import no_such_library_at_all", "pass", "No module named 'no_such_library_at_all'"),
        ("class Other(evaluate.Metric): pass", "pass", "must have one class that is an evaluate.Metric; found Other"),
    ],
)
def test_a_module_that_cannot_be_loaded_is_refused(tmp_path: Path, before: str, body: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Evaluate(write(tmp_path / "broken", body, before=before))
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_folder_without_its_script_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"empty holds no empty\.py"):
        Evaluate(CodeFolder("empty", tmp_path / "empty"))


def test_code_that_is_a_link_to_elsewhere_is_not_run(tmp_path: Path) -> None:  # SEC-05
    (tmp_path / "elsewhere.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\n")
    folder = write(tmp_path / "linked", before="import linked_helper")
    (folder.path / "helper.py").symlink_to(tmp_path / "elsewhere.py")
    with pytest.raises(ConfigError, match=r"helper\.py leads to .*elsewhere\.py; the code of a folder lies in it"):
        Evaluate(folder)
    assert not (tmp_path / "canary").exists()


def test_a_linked_folder_is_not_run_wherever_it_leads(tmp_path: Path) -> None:
    folder = write(tmp_path / "linked", before="from .more import helper")
    for place in (tmp_path / "outside", folder.path / "inside"):
        place.mkdir()
        (place / "helper.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\n")
        (folder.path / "more").symlink_to(place)
        with pytest.raises(ConfigError, match=rf"more leads to .*{place.name}; the code of a folder lies in it"):
            Evaluate(folder)
        (folder.path / "more").unlink()
    assert not (tmp_path / "canary").exists()


def test_bytecode_beside_a_source_is_not_run(tmp_path: Path) -> None:
    """Python itself would take a .pyc that says it need not be checked against its source."""
    folder = write(tmp_path / "right", "return {'v': LIMIT}", before="from .helper import LIMIT")
    helper, forged = folder.path / "helper.py", tmp_path / "forged.py"
    helper.write_text("LIMIT = 0.25\n")
    forged.write_text("LIMIT = 1.0\n")
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(forged), cache_from_source(str(helper)), invalidation_mode=unchecked, doraise=True)
    assert ask(Evaluate(folder)).value == 0.25


@pytest.mark.parametrize("suffix", [".pyc", *EXTENSION_SUFFIXES])
def test_what_is_compiled_already_is_never_loaded(tmp_path: Path, suffix: str) -> None:
    folder = write(tmp_path / "right", before="from .helper import LIMIT")
    (tmp_path / "forged.py").write_text("LIMIT = 1.0\n")
    py_compile.compile(str(tmp_path / "forged.py"), str(folder.path / f"helper{suffix}"), doraise=True)
    with pytest.raises(ConfigError, match=r"no source of helper lies in the folder"):
        Evaluate(folder)


def test_a_package_of_the_folder_and_what_it_imports_are_found(tmp_path: Path) -> None:
    folder = write(tmp_path / "right", "return {'v': LIMIT}", before="from .more import LIMIT")
    (folder.path / "more").mkdir()
    (folder.path / "more" / "__init__.py").write_text("from ..helper import LIMIT\n")
    (folder.path / "helper.py").write_text("LIMIT = 0.5\n")
    assert ask(Evaluate(folder)).value == 0.5


def test_every_file_of_the_folder_is_in_the_signature(tmp_path: Path) -> None:
    folder = write(tmp_path / "right")
    signatures = {str(Evaluate(folder).facts.signature["code"])}
    for name in ("words.txt", "data/weights.bin", "README.md"):
        (folder.path / name).parent.mkdir(exist_ok=True)
        (folder.path / name).write_bytes(b"\x00 1")
        signatures.add(str(Evaluate(folder).facts.signature["code"]))
    assert len(signatures) == 4


@pytest.mark.parametrize("what", ["helper.py", "more", "more/words.txt"])
def test_a_file_that_anybody_may_change_is_refused(tmp_path: Path, what: str) -> None:  # SEC-23
    folder = write(tmp_path / "right")
    (folder.path / "more").mkdir()
    for name in ("helper.py", "more/words.txt"):
        (folder.path / name).touch()
    (folder.path / what).chmod(0o777)
    with pytest.raises(ConfigError, match=rf"is code that anybody may change: .*{what}$"):
        Evaluate(folder)


# how long


def test_a_call_that_never_ends_costs_its_sample_and_no_other(tmp_path: Path) -> None:
    body = 'if predictions[0] == "never": threading.Event().wait()\n        return {"v": 1.0}'
    folder = replace(write(tmp_path / "slow", body, before="import threading"), timeout_s=0.2)
    metric = Evaluate(folder)
    samples = [Sample(f"s{n}", "q", ("a",)) for n in range(6)]

    async def ask_all() -> list[Score]:
        outputs = ["a", "never", "b", "never", "c", "d"]
        return await asyncio.gather(*(scored(metric, s, Generation(o)) for s, o in zip(samples, outputs, strict=True)))

    assert [score.reason or score.value for score in asyncio.run(ask_all())] == [
        1.0,
        "timeout",
        1.0,
        "timeout",
        1.0,
        1.0,
    ]
    assert [score.reason or score.value for score in asyncio.run(ask_all())][:2] == [1.0, "timeout"]


# which folders


def test_a_folder_is_named_from_the_suite_and_must_lie_in_one_that_is_allowed(tmp_path: Path) -> None:
    write(tmp_path / "metrics" / "right")
    assert locate_code("metrics/right", folder=tmp_path, allowed=[tmp_path / "metrics"]) == CodeFolder(
        "metrics/right", tmp_path / "metrics" / "right"
    )
    for allowed in ([], [tmp_path / "other"], [tmp_path / "metrics" / "right" / "deeper"]):
        with pytest.raises(ConfigError, match=r"run only from the folders of HAETAE_EVALUATE_FOLDERS; it allows"):
            locate_code("metrics/right", folder=tmp_path, allowed=allowed)


@pytest.mark.parametrize("name", ["bleu", "lvwerra/x", "huggingface/metrics", "https://host/bleu", "metrics/none"])
def test_names_of_the_hub_are_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        locate_code(name, folder=tmp_path, allowed=[tmp_path])
    assert f"{name} is no folder" in str(caught.value)
    assert "its code would be downloaded and run: name a local folder" in str(caught.value)


@pytest.mark.parametrize("text", ["", "a\nb", "a\0b"])
def test_what_is_no_path_is_refused(tmp_path: Path, text: str) -> None:  # SEC-05
    with pytest.raises(ConfigError, match="not a path"):
        locate_code(text, folder=tmp_path, allowed=[tmp_path])


def test_a_link_out_of_the_allowed_folder_is_refused(tmp_path: Path) -> None:  # SEC-05
    (tmp_path / "allowed").mkdir()
    write(tmp_path / "elsewhere" / "right")
    (tmp_path / "allowed" / "right").symlink_to(tmp_path / "elsewhere" / "right")
    for text in ("allowed/right", "allowed/../elsewhere/right"):
        with pytest.raises(ConfigError, match="HAETAE_EVALUATE_FOLDERS"):
            locate_code(text, folder=tmp_path, allowed=[tmp_path / "allowed"])


def test_code_that_anybody_may_change_is_refused(tmp_path: Path) -> None:  # SEC-23
    folder = write(tmp_path / "right").path
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match="is code that anybody may change"):
        locate_code("right", folder=tmp_path, allowed=[tmp_path])


def test_the_allowed_folders_come_from_the_environment(tmp_path: Path) -> None:
    def settings(text: str) -> Settings:
        return load_settings({"HAETAE_EVALUATE_FOLDERS": text}, tmp_path)

    assert load_settings({}, tmp_path).evaluate_folders == ()
    assert settings(f"/srv/metrics{os.pathsep}/opt/more").evaluate_folders == (Path("/srv/metrics"), Path("/opt/more"))
    with pytest.raises(ConfigError, match=r"HAETAE_EVALUATE_FOLDERS: metrics is not an absolute path"):
        settings("metrics")


def test_a_suite_names_a_module_by_its_folder(tmp_path: Path) -> None:
    write(tmp_path / "metrics" / "right")
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "rows.jsonl").write_text('{"id": "a", "input": "q", "references": ["사과", "배"]}\n')
    (tmp_path / "answers.jsonl").write_text('{"id": "a", "output": "배"}\n')
    suite = "suite: s\ndataset: rows.jsonl\ntarget: { outputs: answers.jsonl }\nmetrics:\n  right: WHICH\n"
    env = {"HAETAE_HOME": str(tmp_path / "home"), "HAETAE_EVALUATE_FOLDERS": str(tmp_path / "metrics")}
    for which in ("evaluate/metrics/right", "{ evaluate: metrics/right, value: right }"):
        (tmp_path / "suite.yaml").write_text(suite.replace("WHICH", which))
        with Workbench(load_settings(env)) as bench:
            report = bench.run(tmp_path / "suite.yaml", fresh=True)
            assert [each.value for each in report.estimates] == [1.0]
    for which, said in (("evaluate/bleu", "bleu is no folder"), ("{ evaluate: lvwerra/x }", "lvwerra/x is no folder")):
        (tmp_path / "suite.yaml").write_text(suite.replace("WHICH", which))
        with Workbench(load_settings(env)) as bench, pytest.raises(ConfigError, match=said) as caught:
            bench.run(tmp_path / "suite.yaml")
        assert str(caught.value).startswith(f"{tmp_path.name}/suite.yaml:5:") or "suite.yaml:5:" in str(caught.value)


@pytest.mark.parametrize("before", ["", "import huggingface_hub.constants\n", "import datasets\n"])
def test_the_bridge_is_offline_whatever_was_imported_or_set_before(tmp_path: Path, before: str) -> None:
    code = (
        f"{before}from haetae.metrics.huggingface.library import evaluate\n"
        "import datasets, huggingface_hub.constants as hub\n"
        "print(evaluate.config.HF_EVALUATE_OFFLINE, datasets.config.HF_DATASETS_OFFLINE)\n"
        "print(datasets.config.HF_HUB_OFFLINE, hub.is_offline_mode())\n"
    )
    names = ("HF_EVALUATE_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_OFFLINE")
    environment = {**os.environ, "HF_HOME": str(tmp_path), **dict.fromkeys(names, "0")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True"] * 4


def test_the_bridge_is_offline_loads_no_torch_and_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = write(tmp_path / "right").path
    code = (
        "import sys, asyncio\n"
        "from haetae.metrics.huggingface.adapter import Evaluate\n"
        "from haetae.core.code_folder import CodeFolder\n"
        "from haetae.core.sample import Sample\n"
        "from haetae.core.generation import Generation\n"
        "from pathlib import Path\n"
        f"metric = Evaluate(CodeFolder('right', Path({str(folder)!r})))\n"
        "score = asyncio.run(metric.score(Sample('a', 'q', ('x',)), Generation('x')))\n"
        "import evaluate, datasets, huggingface_hub.constants as hub\n"
        "print(score.value, 'torch' in sys.modules, 'transformers' in sys.modules)\n"
        "print(evaluate.config.HF_EVALUATE_OFFLINE, datasets.config.HF_DATASETS_OFFLINE, hub.HF_HUB_OFFLINE)\n"
    )
    cleared = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    home = tmp_path / "hf"
    environment = {**cleared, "HF_HOME": str(home), "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1.0", "False", "False", "True", "True", "True"]
    assert {path.name for path in tmp_path.iterdir()} <= {"right", "hf"}
    assert not [path for path in home.rglob("*") if path.is_file()]


# the other direction

OUTPUTS = ["The cat sat on the mat.", "나는 오늘 학교에 갔습니다.", "a b c"]
GIVEN = [["A cat sat on the mat."], ["나는 오늘 학교에 갔다.", "오늘 학교에 갔어요."], ["a b c"]]


def test_our_metrics_are_combined_by_evaluate() -> None:
    both = evaluate.combine([as_evaluate_metric(Chrf()), as_evaluate_metric(ExactMatch())])
    found = both.compute(predictions=OUTPUTS, references=GIVEN)
    streams = [[given[0] for given in GIVEN], [given[1] if len(given) > 1 else None for given in GIVEN]]
    assert found == {
        "chrf": pytest.approx(CHRF().corpus_score(OUTPUTS, streams).score, abs=1e-9),  # sacrebleu itself
        "chrf_unscored": 0,
        "exact_match": pytest.approx(1 / 3),
        "exact_match_unscored": 0,
    }


def test_two_of_one_kind_are_told_apart_by_their_text() -> None:
    both = evaluate.combine([as_evaluate_metric(Rouge("1")), as_evaluate_metric(Rouge("L"))])
    found = both.compute(predictions=["the cat sat"], references=["the cat sat"])
    assert found == {"rouge_1": 1.0, "rouge_1_unscored": 0, "rouge_L": 1.0, "rouge_L_unscored": 0}


def test_one_of_ours_stands_beside_a_module_of_a_folder(tmp_path: Path) -> None:
    """evaluate gives each its own columns."""
    folder = write(tmp_path / "right", columns={"predictions": TEXT, "references": TEXT})
    theirs = load_module(folder, None)[0]
    found = evaluate.combine([theirs, as_evaluate_metric(TokenF1())]).compute(predictions=["x"], references=["x"])
    assert found == {"right": 1.0, "token_f1": 1.0, "token_f1_unscored": 0}


def test_a_metric_without_references_takes_predictions_alone() -> None:
    polite = haetae.metric(lambda output: output.endswith("요"))()
    made = as_evaluate_metric(polite, "polite")
    assert made.compute(predictions=["좋아요", "좋다"]) == {"polite": 0.5, "polite_unscored": 0}
    assert made.compute(predictions=["좋아요"], references=["x"]) == {"polite": 1.0, "polite_unscored": 0}


class Surprise:
    """A language model that finds each character of a text as improbable as the text is long."""

    fingerprint: Mapping[str, Any] = {"kind": "surprise"}
    deterministic = True

    async def likelihood(self, text: str, *, prompt: str = "") -> Likelihood:
        return Likelihood((-math.log(len(text)),) * len(text), len(text))


def test_a_mean_over_texts_stays_a_mean_also_of_a_metric_that_could_sum() -> None:
    texts = ["ab", "abcdefgh"]
    mean = as_evaluate_metric(Perplexity(model=Surprise(), average="texts"), "ppl").compute(predictions=texts)
    assert mean == {"ppl": pytest.approx((2 + 8) / 2), "ppl_unscored": 0}
    whole = as_evaluate_metric(Perplexity(model=Surprise()), "ppl").compute(predictions=texts)
    assert whole == {"ppl": pytest.approx((2**2 * 8**8) ** (1 / 10)), "ppl_unscored": 0}


def test_a_corpus_without_a_value_is_none_and_no_nan() -> None:
    class Rate:
        facts = MetricFacts("rate", "1", corpus=True)

        def score(self, sample: Sample, generation: Generation) -> Score:
            return Score(1.0, (0.0, 0.0))

        def corpus(self, totals: NDArray[np.float64]) -> NDArray[np.float64]:
            with np.errstate(invalid="ignore"):
                return np.asarray(totals[..., 0] / totals[..., 1])

    assert as_evaluate_metric(Rate()).compute(predictions=["a"]) == {"rate": None, "rate_unscored": 0}


def test_what_is_unscored_is_counted_and_not_averaged() -> None:
    made = as_evaluate_metric(ExactMatch())
    assert made.compute(predictions=["a", "b"], references=["a", " "]) == {
        "exact_match": 1.0,
        "exact_match_unscored": 1,
    }
    assert made.compute(predictions=["b"], references=[" "]) == {"exact_match": None, "exact_match_unscored": 1}


def test_questions_and_passages_reach_the_metrics_that_read_them() -> None:
    @haetae.metric
    def grounded(output: str, input: str, contexts: list[str]) -> bool:  # noqa: A002  # the offered name
        return input == "q" and output in contexts

    made = as_evaluate_metric(grounded(), "grounded")
    found = made.compute(predictions=["a", "b"], sources=["q", "q"], contexts=[["a", "x"], ["x"]])
    assert found == {"grounded": 0.5, "grounded_unscored": 0}
    with pytest.raises(ValueError, match="1 sources or contexts for 2 predictions"):
        made.compute(predictions=["a", "b"], sources=["q"])


def test_it_computes_inside_a_running_event_loop_as_well() -> None:
    async def notebook() -> Any:
        return as_evaluate_metric(ExactMatch()).compute(predictions=["a"], references=["a"])

    assert asyncio.run(notebook())["exact_match"] == 1.0


def test_rows_may_be_added_one_by_one_and_in_batches() -> None:
    made = as_evaluate_metric(ExactMatch())
    made.add(prediction="a", reference="a")
    made.add_batch(predictions=["b", "c"], references=["b", "x"])
    assert made.compute()["exact_match"] == pytest.approx(2 / 3)


def test_a_metric_of_what_only_a_call_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="latency_s needs latency, which evaluate has no place for"):
        as_evaluate_metric(Latency())


def test_a_judge_that_can_never_answer_stops_the_computation(scripted: Callable[..., Any]) -> None:
    @haetae.metric
    def judged(output: str) -> float:
        raise JudgeError("wrong key")

    with pytest.raises(JudgeError, match="wrong key"):
        as_evaluate_metric(judged()).compute(predictions=["a"])
