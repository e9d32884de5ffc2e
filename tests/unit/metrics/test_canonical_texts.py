"""The canonical text of a metric: other parameters make another one, and plain words are written as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from haetae import metric as decorated
from haetae.core.canonical import Json, dumps
from haetae.core.template import Prompt
from haetae.metrics.choices import canonical
from haetae.metrics.form.contains import Contains
from haetae.metrics.form.numeric import Numeric
from haetae.metrics.form.pattern import Regex
from haetae.metrics.judges.pairwise import Pairwise
from haetae.metrics.judges.pointwise import Judge
from haetae.metrics.measured import Recorded
from haetae.metrics.reference.rouge import Rouge
from haetae.metrics.stages.guard import Guard
from haetae.metrics.text import nfc

ODD = st.text(alphabet='ab, =()[]{}"\\1.-\n', max_size=8)
WORDS = st.sampled_from(["true", "null", "1", "1.0", '"a"', '["a"]', "a, x=b", "P(rel=2)@5", "(a|b)+"])
VALUES: st.SearchStrategy[Json] = st.recursive(
    ODD | WORDS | st.booleans() | st.none() | st.integers(-3, 3) | st.floats(-3, 3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(ODD, inner, max_size=2),
    max_leaves=3,
)
NAMED = st.dictionaries(st.sampled_from("xy"), VALUES, max_size=2)


def told(value: Json) -> str:
    """A value by its kind, and by its worth where it is a number."""
    if isinstance(value, list):
        return f"list {[told(inner) for inner in value]}"
    if isinstance(value, dict):
        return f"dict { {key: told(inner) for key, inner in sorted(value.items())} }"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"number {float(value) + 0.0}"
    return f"{type(value).__name__} {value!r}"


@given(st.lists(VALUES, max_size=1), NAMED, st.lists(VALUES, max_size=1), NAMED)
@example(["a, x=b"], {}, ["a"], {"x": "b"})
@example(['"a'], {"x": 'b"'}, ["a, x=b"], {})
@example(["x=a"], {}, [], {"x": "a"})
@example([], {"x": [True]}, [], {"x": [1]})
@example([], {"x": -0.0}, [], {"x": 0})
def test_other_parameters_make_another_text_and_the_same_make_the_same(
    first: list[Json], named: dict[str, Json], other_first: list[Json], other_named: dict[str, Json]
) -> None:
    texts = [
        canonical("kind", *positional, **{name: (value, ...) for name, value in sorted(given.items())})
        for positional, given in ((first, named), (other_first, other_named))
    ]
    same = told([first, named]) == told([other_first, other_named])
    assert (texts[0] == texts[1]) is same


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        *(("korean", "korean"), ("ko-mecab", "ko-mecab"), ("감사합니다", "감사합니다"), ("polite.md", "polite.md")),
        *((r"\d+원", r"\d+원"), ("(?i)yes|no", "(?i)yes|no"), ("nDCG@10", "nDCG@10"), ("[0-9]+", "[0-9]+")),
        *(("true", '"true"'), ("1.50", '"1.50"'), ("a, b", '"a, b"'), ("a)", '"a)"'), (" ", '" "'), ("", '""')),
        *(("9" * 5000, '"' + "9" * 5000 + '"'), ("k=v", '"k=v"')),
    ],
)
def test_a_plain_word_is_written_as_it_is_and_any_other_text_as_json(text: str, shown: str) -> None:
    assert canonical("kind", text) == f"kind({shown})"


def test_a_parameter_is_shown_unless_it_is_the_default_itself() -> None:
    assert canonical("kind", x=(1.0, 1), y=("a", "a"), z=((1, 2), [1.0, 2.0])) == "kind"
    assert canonical("kind", x=(True, 1), y=("1", 1), z=(False, 0)) == 'kind(x=true, y="1", z=false)'


@decorated
def either(output: str, *, x: int | str = 0) -> float:
    return float(isinstance(x, str) and x in output)


def _families() -> list[list[Any]]:
    """Metrics of one kind that are all others, however their parameters look alike."""
    return [
        [Guard("recall", positive=value) for value in (True, "true", 1, "1")],
        [Guard("recall", label="a, positive=b"), Guard("recall", label="a", positive="b")],
        [Contains('["a"]'), Contains(["a"]), Contains("a, match=all"), Contains("a", match="all")],
        [Regex("x, match=full"), Regex("x", match="full")],
        [either(x=value) for value in (1, "1", "", "1, x=1")],
        [Recorded(name, scale=[0, 1]) for name in ("a", "a, scale=[0,1]", "1")],
    ]


def test_metrics_that_differ_are_told_apart() -> None:
    for family in _families():
        known = {dumps([nfc(made.facts.text), made.facts.signature]) for made in family}
        assert len(known) == len(family)


def test_a_number_is_the_same_parameter_with_a_point_and_without(scripted: Callable[..., Any]) -> None:
    model = scripted()
    prompt = Prompt.of("polite.md", "Is it polite? {{ output }}")
    contest = Prompt.of("better.md", "Which is better? {{ answers }}")
    pairs: list[tuple[Any, Any]] = [
        (Judge(prompt, model=model, scale=[1, 5]), Judge(prompt, model=model, scale=[1.0, 5.0])),
        (Judge(prompt, model=model, temperature=1), Judge(prompt, model=model, temperature=1.0)),
        (Judge(prompt, model=model, scale={"a": 0, "b": 1}), Judge(prompt, model=model, scale={"a": 0.0, "b": 1.0})),
        (Pairwise(contest, model=model, temperature=0), Pairwise(contest, model=model, temperature=0.0)),
        (Numeric(absolute=1), Numeric(absolute=1.0)),
        (Recorded("a", scale=[0, 1]), Recorded("a", scale=(0.0, 1.0))),
        (Rouge(2), Rouge("2")),
    ]
    for one, other in pairs:
        assert dumps(one.facts.as_json()) == dumps(other.facts.as_json())
