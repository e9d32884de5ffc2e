from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest

from haetae.catalog import metric_factory, metric_kinds
from haetae.catalog.metric_factory import build_metric
from haetae.catalog.metric_kinds import is_stale, known_metrics
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.core.template import Prompt
from haetae.errors import ConfigError, MissingExtra, Problem
from haetae.metrics.choices import bounds, one_of


class _Made:
    """A metric that remembers what it was made of."""

    def __init__(self, **made: Any) -> None:
        self.made = made
        self.facts = MetricFacts("fake", "1")

    def score(self, sample: Sample, generation: Generation) -> Score:
        return Score(1.0)


def chrf(order: int = 6, beta: float = 2.0, *, strict: bool = True) -> _Made:
    return _Made(order=order, beta=beta, strict=strict)


def bare() -> _Made:
    return _Made()


def plain(*, fenced: bool = False, match: str = "any") -> _Made:
    return _Made(fenced=fenced, match=one_of("plain", "match", match, ("any", "all")))


def adapter(inner: str, model: LanguageModel, embeddings: LanguageModel | None = None) -> _Made:
    return _Made(inner=inner, model=model, embeddings=embeddings)


def judge(prompt: Prompt, model: LanguageModel, scale: tuple[float, float] = (0, 1)) -> _Made:
    return _Made(prompt=prompt, model=model, scale=scale)


@dataclass
class Rouge(_Made):
    variant: Literal["1", "2", "L"]
    weights: dict[str, float] | None = None

    def __post_init__(self) -> None:
        super().__init__(variant=self.variant, weights=self.weights)


def fussy(low: float = 0.0) -> _Made:
    if low < 0:
        raise ValueError("low may not be negative")
    if low > 1:
        raise ConfigError(Problem("too high", field="low"))
    raise ModuleNotFoundError("No module named 'torch.cuda'", name="torch.cuda")


def wrong() -> object:
    return object()


def unreadable(x: NoSuchWord) -> _Made:  # type: ignore[name-defined]  # noqa: F821  # an annotation of nothing
    return _Made(x=x)


def odd(callback: _Made) -> _Made:
    return callback


class _Resolver:
    def __init__(self, defaults: Mapping[str, str]) -> None:
        self._defaults = defaults

    def model(self, text: str) -> Any:
        if text == "gone":
            raise ConfigError("no model is called gone; there are judge")
        return ("model", text)

    def prompt(self, text: str) -> Any:
        return ("prompt", text)

    def file(self, text: str) -> Any:
        return ("file", text)

    def outputs(self, text: str) -> Any:
        return ("outputs", text)

    def code(self, text: str) -> Any:
        return ("code", text)

    def function(self, text: str) -> Any:
        if text == "checks:gone":
            raise ConfigError("checks has no gone")
        return chrf

    def default(self, role: str) -> str | None:
        return self._defaults.get(role)


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("fake_metrics")
    for thing in (chrf, bare, plain, adapter, judge, Rouge, fussy, wrong, odd, unreadable):
        setattr(module, thing.__name__, thing)
    monkeypatch.setitem(sys.modules, "fake_metrics", module)
    names = {"ragas": "adapter", "rouge": "Rouge"}
    offered = {
        name: (EntryPoint(name, f"fake_metrics:{names.get(name, name)}", "haetae.metrics"),)
        for name in ("chrf", "bare", "plain", "ragas", "judge", "rouge", "fussy", "wrong", "odd", "unreadable")
    }
    offered["absent"] = (EntryPoint("absent", "no_such_module_at_all:x", "haetae.metrics"),)
    offered["hollow"] = (EntryPoint("hollow", "fake_metrics:nothing", "haetae.metrics"),)
    offered["twice"] = (EntryPoint("twice", "a:x", "haetae.metrics"), EntryPoint("twice", "b:x", "haetae.metrics"))
    monkeypatch.setattr(metric_kinds, "_own_metrics", dict)
    for module in (metric_kinds, metric_factory):
        monkeypatch.setattr(module, "known_metrics", lambda: offered)


def _build(spec: Any, **defaults: str) -> dict[str, Any]:
    metric = build_metric("m", spec, _Resolver(defaults), lambda field, message: Problem(message, field=field))
    assert isinstance(metric, _Made)
    return metric.made


def _refusal(spec: Any, **defaults: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        _build(spec, **defaults)
    return [str(problem) for problem in caught.value.problems]


def test_a_name_alone_makes_a_metric_of_defaults() -> None:
    assert _build("chrf") == {"order": 6, "beta": 2.0, "strict": True}


def test_a_mapping_gives_the_kinds_own_value_and_parameters() -> None:
    assert _build({"chrf": 4, "beta": 1}) == {"order": 4, "beta": 1.0, "strict": True}
    assert _build({"chrf": None, "strict": False})["strict"] is False
    assert _build({"rouge": "L", "weights": {"a": 1}}) == {"variant": "L", "weights": {"a": 1.0}}


def test_true_stands_for_no_value_of_its_own() -> None:
    assert _build({"plain": True, "fenced": True}) == {"fenced": True, "match": "any"}
    assert _build({"chrf": True, "strict": False}) == {"order": 6, "beta": 2.0, "strict": False}


def test_parameters_without_the_kind_are_told_where_they_stand() -> None:
    wish = r"unknown metric 'fenced'.*; parameters stand beside the kind: \{ plain: true, fenced: … \}"
    with pytest.raises(ConfigError, match=wish):
        build_metric("plain", {"fenced": True}, _Resolver({}), lambda field, message: Problem(message, field=field))


def test_a_slash_names_the_metric_of_an_adapter() -> None:
    assert _build("ragas/faithfulness", judge="judge@1")["inner"] == "faithfulness"


def test_a_function_of_the_project_is_checked_like_any_other_factory() -> None:
    assert _build({"function": "checks:mine", "order": 4}) == {"order": 4, "beta": 2.0, "strict": True}
    assert _build("function/checks:mine")["order"] == 6
    assert _refusal({"function": "checks:mine", "oder": 4}) == [
        "metrics.m.oder: unknown parameter of checks:mine; did you mean order?"
    ]
    assert _refusal({"function": "checks:gone"}) == ["metrics.m.function: checks has no gone"]
    assert _refusal("function") == ["metrics.m: expected module:function, got nothing"]


def test_models_come_from_the_line_or_from_the_suite() -> None:
    assert _build("ragas/x", judge="judge@1", embeddings="e")["embeddings"] == ("model", "e")
    made = _build({"ragas": "x", "model": "other@2"}, judge="judge@1")
    assert made["model"] == ("model", "other@2")
    assert made["embeddings"] is None
    assert _build({"ragas": "x", "model": "m", "embeddings": None})["embeddings"] is None


def test_a_judge_gets_its_prompt_and_its_scale() -> None:
    assert _build({"judge": "polite.md", "model": "judge@2", "scale": [1, 5]}) == {
        "prompt": ("prompt", "polite.md"),
        "model": ("model", "judge@2"),
        "scale": (1.0, 5.0),
    }


def test_a_metric_that_asks_a_model_needs_one() -> None:
    assert _refusal("ragas/x") == ["metrics.m: ragas asks a model: name one with model:, or judge: for the whole suite"]


def test_every_wrong_parameter_is_named_at_its_field() -> None:
    assert _refusal({"chrf": "six", "beta": "2", "strikt": True}) == [
        "metrics.m.strikt: unknown parameter of chrf; did you mean strict?",
        "metrics.m.chrf: order: expected a whole number, got text 'six'",
        "metrics.m.beta: expected a number, got text '2'",
    ]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("chfr", "unknown metric 'chfr'; did you mean chrf?; there are chrf, bare, plain, ragas"),
        ("lambda x: 1", "unknown metric 'lambda x: 1'"),
        ({}, "expected a kind of metric, got an empty mapping"),
        ({"bare": 3}, "metrics.m.bare: bare takes no value of its own"),
        ({"chrf": 3, "order": 4}, "order is given twice"),
        ({"chrf": None, "zzz": 4}, "unknown parameter of chrf; there are order, beta, strict"),
        ({"chrf": 1.5}, "metrics.m.chrf: order: expected a whole number, got the number 1.5"),
        ({"chrf": False}, "metrics.m.chrf: order: expected a whole number, got false"),
        ({"chrf": "chrf"}, "metrics.m.chrf: order: expected a whole number, got text 'chrf'"),
        ({"rouge": True}, "metrics.m.rouge: variant: expected '1', '2' or 'L', got true"),
        ({"chrf": {"beta": 1}}, "metrics.m.chrf: parameters stand beside the kind: { chrf: true, beta: … }"),
        ({"plain": {"fenced": True}}, "metrics.m.plain: parameters stand beside the kind: { plain: true, fenced"),
        (
            {"plain": 3},
            "plain takes no value of its own; parameters stand beside the kind: { plain: true, fenced: …, match",
        ),
        ({"plain": True, "match": "every"}, "metrics.m.match: plain: match 'every' is none of any, all"),
        ({"rouge": "L", "weights": {"a": float("inf")}}, "metrics.m.weights: expected a finite number, got inf"),
        ({"chrf": None, "beta": float("nan")}, "expected a finite number, got nan"),
        ({"rouge": "X"}, "metrics.m.rouge: variant: expected '1', '2' or 'L', got text 'X'"),
        ({"rouge": "L", "weights": {"a": "b"}}, "metrics.m.weights.a: expected a number, got text 'b'"),
        ("rouge", "metrics.m: rouge needs variant"),
        ({"judge": "p.md", "model": 5}, "metrics.m.model: expected the name of a model, got the number 5"),
        ({"judge": ["p.md"], "model": "j"}, "metrics.m.judge: expected the name of a prompt, got a list"),
        ({"judge": "p.md", "model": "gone"}, "metrics.m.model: no model is called gone"),
        ({"judge": "p.md", "model": "j", "scale": [1]}, "metrics.m.scale"),
        ({"fussy": -1}, "metrics.m: fussy: low may not be negative"),
        ({"fussy": 2}, "metrics.m.fussy: too high"),
        ("wrong", "wrong made object, which is no metric"),
        ({"odd": "x"}, "callback cannot be set in a suite file"),
        ("absent", "metric 'absent' cannot be loaded: No module named 'no_such_module_at_all'"),
        ("hollow", "metric 'hollow' cannot be loaded"),
        ("unreadable", "metric 'unreadable' has no readable signature: name 'NoSuchWord'"),
        ("twice", "metric 'twice' is offered twice: a:x and b:x"),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_reason(spec: Any, said: str) -> None:
    assert said in "\n".join(_refusal(spec))


def test_a_scale_is_shown_as_it_was_written() -> None:
    with pytest.raises(ConfigError, match=r"scale: m: scale \[5, 1\] is not \[low, high\]"):
        bounds("m", (5.0, 1.0))
    with pytest.raises(ConfigError, match=r"scale: m: scale \['a', 2\] is not"):
        bounds("m", ["a", 2])


def test_a_missing_library_names_its_extra() -> None:
    with pytest.raises(MissingExtra, match=r"pip install -e '\.\[hf\]'"):
        _build({"fussy": 0.5})


@pytest.mark.parametrize("value", ["haetae.metrics.gone:Gone", "haetae.metrics.choices:Gone"])
def test_a_module_of_ours_that_has_moved_asks_for_a_new_installation(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = {"moved": (EntryPoint("moved", value, "haetae.metrics"),)}
    monkeypatch.setattr(metric_kinds, "known_metrics", lambda: moved)
    (said,) = _refusal("moved")
    assert "; the installed entry points are older than this checkout; run in it: pip install -e ." in said


def test_a_checkout_that_registers_other_metrics_than_were_installed_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    points = {
        "a": (EntryPoint("a", "haetae.metrics.a:A", "haetae.metrics"),),
        "b": (EntryPoint("b", "other:B", "haetae.metrics"),),
    }
    monkeypatch.setattr(metric_kinds, "known_metrics", lambda: points)
    assert not is_stale(tmp_path)
    described = tmp_path / "pyproject.toml"
    head = '[project]\nname = "NAME"\n[project.entry-points."haetae.metrics"]\n'
    for name, registered, stale in (
        ("haetae", 'a = "haetae.metrics.a:A"', False),
        ("haetae", 'a = "haetae.metrics.rooms.a:A"', True),
        ("haetae", 'a = "haetae.metrics.a:A"\nc = "haetae.metrics.c:C"', True),
        ("shop", 'z = "z:Z"', False),
    ):
        described.write_text(head.replace("NAME", name) + registered, "utf-8")
        assert is_stale(tmp_path) is stale


def test_discovery_reads_entry_points_and_loads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("b", "nowhere:b", "g"), EntryPoint("a", "nowhere:a", "g"), EntryPoint("a", "nowhere:a", "g")]
    monkeypatch.setattr(metric_kinds, "entry_points", lambda group: points)
    monkeypatch.setattr(metric_kinds, "known_metrics", known_metrics)
    known_metrics.cache_clear()
    try:
        assert {name: len(found) for name, found in known_metrics().items()} == {"a": 1, "b": 1}
    finally:
        known_metrics.cache_clear()


def test_a_kind_of_this_package_is_found_without_reading_what_others_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    def read() -> None:
        raise AssertionError("the entry points of others were read")

    monkeypatch.undo()
    monkeypatch.setattr(metric_kinds, "known_metrics", read)
    assert metric_kinds.load_kind("exact_match").__module__ == "haetae.metrics.reference.short_answers"
    with pytest.raises(AssertionError, match="of others were read"):
        metric_kinds.load_kind("no_metric_of_ours")
