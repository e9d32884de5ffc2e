"""What there is to score with, told from the code: the list, a page, the words for its facts and parameters."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml

from haetae.core.code_folder import CodeFolder
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel
from haetae.core.outputs import Outputs
from haetae.core.template import Prompt
from haetae.errors import ConfigError
from haetae.workbench import metric_pages
from haetae.workbench.metric_pages import listed, page_of
from haetae.workbench.metric_reference import reference
from haetae.workbench.metric_words import flow, takes, words_of


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
    monkeypatch.setattr(metric_pages, "known_metrics", lambda: {"kind": (point,)})
    assert listed()["kind"] == "from kindness_package"
    page = page_of("kind")
    assert (page.korean, page.doc, page.parameters) == (None, "Kind words.", (("words", "a list, each text", ""),))
    assert "kind" not in [found.name for found in metric_pages.pages()]


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
    ["plain", "한국어", "checks:polite", "a: b", "^[0-9]+$", "@x", "", "yes # no", 'say "x"', 3, 0.5, True, [1, "a b"]],
)
def test_a_value_is_written_as_yaml_reads_it(value: Any) -> None:
    assert yaml.safe_load(f"{{ v: {flow(value)} }}") == {"v": value}


def test_a_bar_in_a_cell_ends_no_column() -> None:
    page = metric_pages.MetricPage("m", "a | b", "doc", "m", None, (("p", "x | y", "|"),))
    text = reference([page])
    assert "| [`m`](#m) | a \\| b |" in text
    assert "| `p` | x \\| y | `\\|` |" in text
