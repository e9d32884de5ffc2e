"""A metric of one's own: a function with type hints and one decorator."""

from __future__ import annotations

import asyncio
import hashlib
import sys
import threading
import types
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import Field

import haetae
from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.metric import Metric, facts_from_json
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.engine.scoring import score as scored
from haetae.errors import ConfigError
from haetae.metrics.own.function import MetricFunction

Level = Annotated[int, Field(ge=1)]
SAMPLE = Sample(
    "s1", "질문", ("  ", "사과요", "배요"), ("한 구절", " "), metadata={"language": "ko"}
)  # the blank reference and the blank passage are nothing


@haetae.metric(high=1.0)
def polite(output: str, *, ending: str = "요") -> float:
    """1 where the answer ends politely."""
    return float(output.rstrip(".!? ").endswith(ending))


def ask(metric: Any, output: str = "사과요.", sample: Sample = SAMPLE) -> Score:
    return asyncio.run(scored(metric, sample, Generation(output)))


def test_a_function_becomes_a_metric_of_its_name() -> None:
    made = polite()
    assert isinstance(made, Metric)
    assert made.facts.text == f"function({__name__}:polite)"
    assert (made.facts.low, made.facts.high, made.facts.higher_is_better) == (0.0, 1.0, True)
    assert made.facts.needs == frozenset()
    assert facts_from_json(made.facts.as_json()) == made.facts
    assert ask(made) == Score(1.0)
    assert ask(made, "사과다.").value == 0.0


def test_its_own_parameters_are_in_its_text_where_they_differ_from_their_defaults() -> None:
    assert polite(ending="니다").facts.text == f"function({__name__}:polite, ending=니다)"
    assert polite(ending="요").facts.text == polite().facts.text
    assert ask(polite(ending="니다"), "감사합니다").value == 1.0
    with pytest.raises(TypeError, match="endung"):
        polite(endung="요")


def test_the_function_itself_is_there_for_tests_of_ones_own() -> None:
    assert polite.function("좋아요") == 1.0
    assert (polite.__name__, polite.__doc__) == ("polite", "1 where the answer ends politely.")


def test_a_function_asks_by_name_for_the_parts_of_sample_and_answer() -> None:
    seen: dict[str, Any] = {}

    @haetae.metric
    def kept(
        output: str,
        input: str,  # noqa: A002  # the offered name
        reference: str,
        references: list[str],
        contexts: Sequence[str],
        metadata: dict[str, Any],
        sample: Sample,
        generation: Generation,
    ) -> bool:
        seen.update(locals())
        return True

    made = kept()
    assert made.facts.needs == {"reference", "contexts"}
    assert ask(made).value == 1.0
    assert seen.pop("generation").output == "사과요."
    assert seen.pop("sample") is SAMPLE
    assert {name: seen[name] for name in ("output", "input", "reference", "references", "contexts", "metadata")} == {
        "output": "사과요.",
        "input": "질문",
        "reference": "사과요",
        "references": ["사과요", "배요"],
        "contexts": ["한 구절"],
        "metadata": {"language": "ko"},
    }


def test_what_is_hinted_sample_or_generation_may_have_any_name() -> None:
    @haetae.metric(high=None)
    def long(case: Sample, answer: Generation) -> int:
        return len(answer.output) + len(case.id)

    assert ask(long(), "abc").value == 5.0


def test_decomposed_korean_arrives_composed() -> None:
    decomposed = "\u1109\u1161\u1100\u116a"  # 사과 as a Mac writes it
    assert ask(haetae.metric(lambda output: output == "사과")(), decomposed).value == 1.0


def test_a_part_with_a_default_is_left_out_where_the_sample_lacks_it() -> None:
    @haetae.metric
    def close(output: str, reference: str | None = None, contexts: list[str] = ["none"]) -> bool:  # noqa: B006  # read only
        return reference is None and contexts == ["none"]

    bare = Sample("s2", "q", (" ",))
    assert close().facts.needs == frozenset()
    assert ask(close(), sample=bare).value == 1.0
    assert ask(close()).value == 0.0


def test_a_sample_that_lacks_what_the_function_needs_is_not_asked_about() -> None:
    @haetae.metric(needs=["cost"])
    def same(output: str, reference: str) -> bool:
        raise AssertionError("was called")

    assert ask(same(), sample=Sample("s2", "q")).reason == reasons.MISSING_REFERENCE
    assert ask(same()).reason == reasons.NO_PRICE


@pytest.mark.parametrize(
    ("returned", "value"),
    [
        (True, 1.0),
        (False, 0.0),
        (1, 1.0),
        (0.25, 0.25),
        (Fraction(1, 4), 0.25),
        (Decimal("0.25"), 0.25),
        (np.float32(0.25), 0.25),
        (np.bool_(True), 1.0),
        (np.array(0.25), 0.25),
        (Score(0.25, explanation="why"), 0.25),
    ],
    ids=repr,
)
def test_what_is_a_number_is_a_score(returned: Any, value: float) -> None:
    found = ask(haetae.metric(lambda output: returned)())
    assert (found.value, type(found.value)) == (value, float)
    assert found.explanation == ("why" if isinstance(returned, Score) else None)


@pytest.mark.parametrize(
    ("returned", "reason", "said"),
    [
        (None, "not_measured", "<lambda> returned None"),
        (float("nan"), "not_finite", "the metric returned nan"),
        (float("inf"), "not_finite", "the metric returned inf"),
        (1.7, "out_of_range", "1.7 is outside the scale 0.0 to 1.0"),
        (Score(1.7), "out_of_range", "1.7 is outside the scale 0.0 to 1.0"),
        ("0.5", "metric_raised", "<lambda> returned str; a metric returns a number"),
        ({"value": 1}, "metric_raised", "<lambda> returned dict"),
        (np.array([0.1, 0.2]), "metric_raised", "TypeError"),
        (Score.unscored("no_claims", "nothing said"), "no_claims", "nothing said"),
    ],
    ids=repr,
)
def test_what_is_no_score_is_unscored_with_the_reason(returned: Any, reason: str, said: str) -> None:  # MET-06, MET-09
    found = ask(haetae.metric(lambda output: returned)())
    assert (found.value, found.reason) == (None, reason)
    assert said in str(found.explanation)


def test_a_call_that_never_ends_is_unscored_at_the_deadline() -> None:
    ended = threading.Event()

    def blocks(output: str) -> float:
        ended.wait()
        return 1.0

    async def waits(output: str) -> float:
        await asyncio.Event().wait()
        return 1.0

    for function in (blocks, waits):
        found = ask(haetae.metric(function).within(0.05)())
        assert found == Score.unscored(reasons.TIMEOUT, f"{function.__qualname__} did not answer in 0.05 s")
    ended.set()


@pytest.mark.parametrize("error", [ValueError, SystemExit, TimeoutError])
def test_what_a_function_raises_costs_its_sample_only(error: type[BaseException]) -> None:  # MET-07
    def broken(output: str) -> float:
        raise error("https://host/?token=canary")

    async def later(output: str) -> float:
        raise error("https://host/?token=canary")

    for function in (broken, later):
        found = ask(haetae.metric(function)())
        assert (found.value, found.reason) == (None, reasons.METRIC_RAISED)
        assert "canary" not in str(found.explanation)


def test_a_sync_function_may_block_without_holding_up_the_others() -> None:
    """Two calls wait for one another: on the event loop itself neither would ever return."""
    meeting = threading.Barrier(2, timeout=20)

    @haetae.metric
    def met(output: str) -> bool:
        return meeting.wait() >= 0

    async def both() -> list[Score]:
        return await asyncio.gather(*(scored(met(), SAMPLE, Generation("x")) for _ in range(2)))

    assert [score.value for score in asyncio.run(both())] == [1.0, 1.0]


def test_an_async_function_and_one_that_returns_an_awaitable_are_awaited() -> None:
    @haetae.metric
    async def later(output: str) -> float:
        await asyncio.sleep(0)
        return 0.5

    assert ask(later()).value == 0.5
    assert ask(haetae.metric(lambda output: later.function(output))()).value == 0.5


def test_its_range_direction_and_version_are_what_the_decorator_says() -> None:
    facts = haetae.metric(low=-1, high=None, higher_is_better=False, version="3")(lambda output: -2)
    made = facts()
    assert (made.facts.low, made.facts.high, made.facts.higher_is_better, made.facts.version) == (-1, None, False, "3")
    assert ask(made).reason == reasons.OUT_OF_RANGE


@pytest.mark.parametrize("ends", [(1, 0), (0, 0), (0, float("inf")), (float("nan"), 1), ("0", 1)], ids=repr)
def test_a_range_that_is_none_is_refused(ends: tuple[Any, Any]) -> None:
    with pytest.raises(ConfigError, match="is not one; low is below high"):
        haetae.metric(low=ends[0], high=ends[1])(lambda output: 1)


def _functions() -> dict[str, Callable[..., Any]]:
    def unhinted(output, words): ...  # type: ignore[no-untyped-def]
    def numeric(output: int) -> float: ...  # type: ignore[empty-body]
    def one_text(output: str, contexts: str) -> float: ...  # type: ignore[empty-body]
    def blind(input: str, reference: str) -> float: ...  # type: ignore[empty-body]  # noqa: A002
    def open_ended(output: str, **rest: int) -> float: ...  # type: ignore[empty-body]
    def spread(output: str, *rest: int) -> float: ...  # type: ignore[empty-body]
    def by_place(output: str, word: str, /) -> float: ...  # type: ignore[empty-body]
    def listed(output: str, words: list[Path]) -> float: ...  # type: ignore[empty-body]
    def by_name(output: str, words: str | dict[str, Path]) -> float: ...  # type: ignore[empty-body]
    def says(output: str) -> str: ...  # type: ignore[empty-body]
    def strange(output: NoSuchWord) -> float: ...  # type: ignore[empty-body,name-defined]  # noqa: F821

    return {name: each for name, each in locals().items() if isinstance(each, types.FunctionType)}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unhinted", "words is nothing that a sample has; offered are output, input, reference"),
        ("numeric", "output is hinted int, and is a str"),
        ("one_text", "contexts is hinted str, and is a list[str]"),
        ("blind", "takes neither output nor generation: it would score every answer the same"),
        ("open_ended", "**rest: 'int' cannot be given by name"),
        ("spread", "*rest: 'int' cannot be given by name"),
        ("by_place", "output: 'str' cannot be given by name"),
        (
            "listed",
            "words is hinted list[pathlib.Path]; a file of the project is hinted Path, and each has a parameter",
        ),
        ("by_name", "words is hinted str | dict[str, pathlib.Path]; a file of the project is hinted Path"),
        ("says", "returns str; a metric returns float, bool, Score or None"),
        ("strange", "has no readable signature: name 'NoSuchWord' is not defined"),
    ],
)
def test_a_function_that_could_not_be_asked_is_refused_where_it_is_decorated(name: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        haetae.metric(_functions()[name])
    assert said in str(caught.value)
    assert name in str(caught.value)


def test_a_need_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"needs 'costs' is none of .*did you mean 'cost'"):
        haetae.metric(needs=["costs"])(lambda output: 1)


def test_one_file_may_be_left_out_described_or_stand_beside_values_of_its_own() -> None:
    @haetae.metric
    def clean(
        output: str, a: Path | None, b: Annotated[Path, "a list of words"], c: Path | dict[str, str], d: list[str]
    ) -> bool:
        return True

    assert list(clean.__signature__.parameters) == ["a", "b", "c", "d"]


def test_parameters_keep_their_hints_for_the_check_of_a_suite_file() -> None:
    @haetae.metric
    def hinted(output: str, level: Level, tone: Literal["a", "b"] = "a") -> bool:
        return True

    found = hinted.__signature__.parameters
    assert list(found) == ["level", "tone"]
    assert found["level"].annotation == Level
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in found.values())
    assert hinted(level=2, tone="b").facts.text.endswith("hinted, level=2, tone=b)")


def test_a_parameter_may_have_any_name() -> None:
    @haetae.metric
    def named(output: str, kind: str = "a", self: int = 1, metric: str = "m") -> bool:
        return (kind, self, metric) == ("b", 2, "n")

    made = named(kind="b", self=2, metric="n")
    assert made.facts.text.endswith("named, kind=b, self=2, metric=n)")
    assert ask(made).value == 1.0


def test_a_value_that_json_cannot_hold_is_refused() -> None:
    @haetae.metric
    def takes(output: str, words: Any) -> bool:
        return True

    with pytest.raises(ConfigError, match="words: a set cannot be kept"):
        takes(words={"a"})


def test_an_edited_function_is_a_new_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [str(tmp_path), *sys.path])
    signatures = []
    for limit in (3, 4):
        code = f"import haetae\n\n@haetae.metric\ndef short(output: str) -> bool:\n    return len(output) < {limit}\n"
        (tmp_path / f"edited_{limit}.py").write_text(code)
        made = __import__(f"edited_{limit}").short()
        assert made.facts.signature["code"] == hashlib.sha256(code.encode()).hexdigest()
        signatures.append(made.facts.signature["code"])
    assert len(set(signatures)) == 2


def test_a_file_among_the_parameters_is_known_by_its_content(tmp_path: Path) -> None:
    @haetae.metric
    def clean(output: str, words: Path) -> bool:
        return not any(word in output for word in words.read_text("utf-8").split())

    (tmp_path / "words.txt").write_text("욕설", "utf-8")
    made = clean(words=tmp_path / "words.txt")
    assert made.facts.text.endswith("clean, words=words.txt)")
    assert made.facts.signature["files"] == {"words": hashlib.sha256("욕설".encode()).hexdigest()}
    assert ask(made, "욕설이다").value == 0.0
    with pytest.raises(ConfigError, match="cannot be read"):
        clean(words=tmp_path / "none.txt")


def test_the_decorator_works_bare_and_with_keywords() -> None:
    assert isinstance(haetae.metric(lambda output: 1), MetricFunction)
    assert isinstance(haetae.metric()(lambda output: 1), MetricFunction)
