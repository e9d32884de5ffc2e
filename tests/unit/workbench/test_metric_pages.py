"""What there is to score with, told from the code: the list, a page, the words for its facts and parameters."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint, metadata
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml

from haetae.catalog import metric_kinds
from haetae.catalog.metric_factory import build_metric
from haetae.core.code_folder import CodeFolder
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel
from haetae.core.outputs import Outputs
from haetae.core.template import Prompt
from haetae.errors import ConfigError, MissingExtra, Problem
from haetae.metrics.about import ABOUT
from haetae.workbench import metric_pages
from haetae.workbench.metric_pages import listed, page_of
from haetae.workbench.metric_reference import reference
from haetae.workbench.metric_words import flow, takes, words_of
from haetae.workbench.stand_ins import StandIns


def test_the_list_says_in_one_sentence_what_each_metric_is() -> None:
    found = listed()
    assert list(found) == sorted(found)
    assert found["exact_match"] == "1 where the output is one of the references, else 0; higher is better"
    assert found["function"].startswith("What the function returns")
    assert [name for name, sentence in found.items() if not sentence] == []


def test_the_list_loads_no_metric() -> None:
    code = (
        "import sys\n"
        "from haetae.workbench.metric_pages import listed\n"
        "assert len(listed()) > 15\n"
        "modules = {name: module for name, module in sys.modules.items() if name.startswith('haetae.metrics.')}\n"
        "loaded = {name for name, module in modules.items() if not hasattr(module, '__path__')}\n"
        "print(sorted(loaded), sorted({'numpy', 'torch', 'sacrebleu', 'regex', 'sqlalchemy'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["['haetae.metrics.about']", "[]"]


def test_a_page_holds_the_docstring_the_example_the_facts_and_the_parameters() -> None:
    page = page_of("chrf")
    assert page.doc.startswith("chrF")
    assert "Source: Popović" in page.doc
    assert page.written == "chrf: chrf"
    assert page.facts is not None
    assert page.facts.text == "chrf"
    assert page.said == ("0 to 100", "higher is better", "needs reference", "corpus value from summed statistics")
    assert ("word_order", "whole number", "0") in page.parameters
    assert page.as_json()["facts"]["high"] == 100.0


def test_a_metric_that_asks_a_model_says_so() -> None:
    page = page_of("judge")
    assert "asks a model" in page.said
    assert ("model", "a registered model") in {(name, kind) for name, kind, _ in page.parameters}


def test_what_hangs_on_ones_own_code_has_no_facts_to_show() -> None:
    for name in ("function", "evaluate"):
        page = page_of(name)
        assert (page.facts, page.said) == (None, ())
        assert page.doc


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no metric is called chff; did you mean chrf\?; there are ann_recall"):
        page_of("chff")


def test_a_metric_of_another_package_is_listed_by_its_origin_and_described_from_its_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code = (
        'import haetae\n\n@haetae.metric\ndef kind(output: str, *, words: list[str]) -> bool:\n    """Kind words."""\n'
    )
    (tmp_path / "kindness_package.py").write_text(code + "    return any(word in output for word in words)\n")
    monkeypatch.setattr("sys.path", [str(tmp_path), *sys.path])
    point = EntryPoint("kind", "kindness_package:kind", "haetae.metrics")
    for module in (metric_kinds, metric_pages):
        monkeypatch.setattr(module, "known_metrics", lambda: {"kind": (point,)})
    assert listed()["kind"] == "Kind words (from kindness_package)"
    assert "kindness_package" not in sys.modules
    page = page_of("kind")
    assert (page.korean, page.doc, page.parameters) == (None, "Kind words.", (("words", "a list, each text", ""),))
    assert "kind" not in [found.name for found in metric_pages.pages()]


def test_a_metric_in_a_package_of_modules_is_found_without_importing_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "kindness_room").mkdir()
    (tmp_path / "kindness_room" / "__init__.py").write_text("raise ImportError('imported')\n")
    code = 'async def polite(output: str) -> float:\n    """Ends politely. Or not."""\n    return 1.0\n'
    (tmp_path / "kindness_room" / "words.py").write_text(code)
    monkeypatch.setattr("sys.path", [str(tmp_path), *sys.path])
    points = {
        name: (EntryPoint(name, value, "haetae.metrics"),)
        for name, value in (("a", "kindness_room.words:polite"), ("b", "kindness_room.words:gone"), ("c", "nowhere:x"))
    }
    monkeypatch.setattr(metric_pages, "known_metrics", lambda: points)
    found = listed()
    assert found["a"] == "Ends politely (from kindness_room.words)"
    assert (found["b"], found["c"]) == ("from kindness_room.words", "from nowhere")


def test_a_page_says_how_a_parameter_is_given() -> None:
    assert page_of("json_valid").with_parameters == "json_valid: { json_valid: true, fenced: false }"
    assert page_of("retrieval").with_parameters == "retrieval: { retrieval: nDCG@10, stage: … }"
    assert page_of("rouge").with_parameters == ""  # its example shows one


def test_every_line_with_a_parameter_makes_the_metric_that_the_example_makes() -> None:
    made = 0
    for page in metric_pages.pages():
        if page.with_parameters and "…" not in page.with_parameters:
            spec = yaml.safe_load(page.with_parameters)[page.name]
            resolve = StandIns(ABOUT[page.name].prompt)
            metric = build_metric(page.name, spec, resolve, lambda field, message: Problem(message, field=field))
            assert metric.facts == page.facts  # the parameter has its default
            made += 1
    assert made > 10


@pytest.mark.parametrize("lacking", ["ragas", "retrieval", "rouge"])
def test_a_page_is_read_in_the_source_where_a_library_is_not_installed(
    lacking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = page_of(lacking)

    def absent(kind: str) -> Any:
        raise MissingExtra("lib", "extra")

    monkeypatch.setattr(metric_pages, "load_kind", absent)
    page = page_of(lacking)
    assert (page.facts, page.lacks) == (None, str(MissingExtra("lib", "extra")))
    assert (page.written, page.with_parameters, page.parameters) == (
        whole.written,
        whole.with_parameters,
        whole.parameters,
    )
    assert page.doc.splitlines()[0] == whole.doc.splitlines()[0]


def test_a_page_says_which_extra_what_needs() -> None:
    assert page_of("retrieval").extras == ("It needs the extra `retrieval`: `pip install -e '.[retrieval]'`.",)
    assert page_of("token_f1").extras == (
        "`tokenizer: korean` or `korean_content` needs the extra `korean`: `pip install -e '.[korean]'`.",
    )
    assert page_of("chrf").extras == ()
    extras = {extra for about in ABOUT.values() for extra in about.extras}
    assert extras <= set(metadata("haetae").get_all("Provides-Extra") or [])


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (str, "text"),
        (int, "whole number"),
        (float | None, "number"),
        (bool, "true or false"),
        (Literal["a", "b", "c"], "`a`, `b` or `c`"),
        (tuple[float, float] | list[float], "[number, number] or a list, each number"),
        (tuple[LanguageModel, ...], "a list, each a registered model"),
        (Outputs | None, "a file of recorded outputs"),
        (Prompt, "a prompt: a file, or a registered one"),
        (Path, "a file of the project"),
        (CodeFolder, "a folder that `HAETAE_EVALUATE_FOLDERS` allows"),
        (dict[str, Any], "a mapping"),
        (Mapping[str, int], "any value"),
        (Annotated[int, "positive"], "whole number"),
    ],
)
def test_a_parameters_kind_is_said_in_words(annotation: Any, said: str) -> None:
    assert takes(annotation) == said


@pytest.mark.parametrize(
    ("low", "high", "said"), [(0, 1, "0 to 1"), (0, None, "0 and up"), (None, 1, "up to 1"), (None, None, "any number")]
)
def test_a_range_is_said_in_words(low: float | None, high: float | None, said: str) -> None:
    assert words_of(MetricFacts("m", "1", low=low, high=high, higher_is_better=False)) == (said, "lower is better")


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "한국어",
        "checks:polite",
        "a: b",
        "^[0-9]+$",
        r"\d{4}",
        "it's",
        "a\nb",
        "@x",
        "",
        "yes # no",
        'say "x"',
        3,
        0.5,
        True,
        [1, "a b"],
    ],
)
def test_a_value_is_written_as_yaml_reads_it(value: Any) -> None:
    assert yaml.safe_load(f"{{ v: {flow(value)} }}") == {"v": value}


def test_a_bar_in_a_cell_ends_no_column() -> None:
    page = metric_pages.MetricPage("m", "a | b", "doc", "m", None, (("p", "x | y", "|"),))
    text = reference([page])
    assert "| [`m`](#m) | a \\| b |" in text
    assert "| `p` | x \\| y | `\\|` |" in text


def test_the_models_of_an_example_are_different_ones() -> None:
    page = page_of("jury")
    assert page.facts is not None  # a jury in which one model sits twice is refused
    assert "asks a model" in page.said
