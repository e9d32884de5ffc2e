"""What an agent did: its calls against the expected ones, its way, its steps."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.sample import Message, Sample, ToolCall
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.agents.calls import Steps, ToolCalls, Trajectory
from haetae.metrics.agents.tool_match import Agreement, matched, same_json


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(name, arguments)


def scored(metric: Any, made: Sequence[ToolCall] | None, expected: Sequence[ToolCall] | None) -> Score:
    sample = Sample("s1", "question", tool_calls=None if expected is None else tuple(expected))
    return metric.score(sample, Generation("answer", tool_calls=None if made is None else tuple(made)))


SEARCH, BOOK, PAY = call("search", city="부산"), call("book", hotel="해운대"), call("pay", amount=120)


@pytest.mark.parametrize(("part", "value"), [("precision", 2 / 3), ("recall", 2 / 4), ("f1", 4 / 7)])
def test_the_parts_count_matched_calls_against_those_made_and_expected(part: Any, value: float) -> None:
    score = scored(ToolCalls(part), [SEARCH, BOOK, call("chat")], [BOOK, SEARCH, PAY, PAY])
    assert score.value == pytest.approx(value)
    assert score.stats == (2.0, 3.0, 4.0)


# ToolCallF1 of ragas 0.4.3 gave these, which agree; it works on sets, so a call made twice counts once there
# (the third would be 1.0 with [SEARCH, SEARCH]), and it gives 0.0 where nothing was called and nothing expected.
@pytest.mark.parametrize(
    ("made", "expected", "value"),
    [
        ([SEARCH, call("uv", city="부산")], [SEARCH], 0.6667),
        ([call("search", city=1)], [call("search", city="1")], 0.0),
        ([SEARCH, BOOK], [SEARCH, PAY], 0.5),
        ([call("a", x=[1, {"y": None}])], [call("a", x=[1, {"y": None}])], 1.0),
        ([], [SEARCH], 0.0),
        ([SEARCH], [], 0.0),
    ],
)
def test_f1_is_that_of_ragas_where_no_call_comes_twice(made: Any, expected: Any, value: float) -> None:
    assert round(scored(ToolCalls(), made, expected).value or 0.0, 4) == value


def test_a_call_made_twice_must_be_expected_twice() -> None:
    assert scored(ToolCalls("precision"), [SEARCH, SEARCH], [SEARCH]).value == 0.5
    assert scored(ToolCalls("recall"), [SEARCH], [SEARCH, SEARCH]).value == 0.5


def test_calling_nothing_where_nothing_should_be_called_is_right() -> None:
    assert [
        scored(ToolCalls(part), made, []).value for part in ("precision", "recall", "f1") for made in (None, [])
    ] == [1.0] * 6


@pytest.mark.parametrize("part", ["precision", "recall", "f1"])
def test_one_empty_side_is_zero_with_the_reason_said(part: Any) -> None:
    for made, expected in (([], [PAY]), ([PAY], [])):
        score = scored(ToolCalls(part), made, expected)
        assert score.value == 0.0
        assert score.explanation is not None


@pytest.mark.parametrize("metric", [ToolCalls(), Trajectory("exact")])
def test_a_sample_without_expected_calls_is_unscored(metric: Any) -> None:
    score = scored(metric, [SEARCH], None)
    assert (score.value, score.reason) == (None, reasons.MISSING_EXPECTED)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1, "1", False),
        (1, True, False),
        (0, False, False),
        (None, 0, False),
        ([1, 2], [2, 1], False),
        ({"a": 1, "b": [True]}, {"b": [True], "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ("가", "\u1100\u1161", True),  # NFC and NFD of one syllable
        ({"\u1100\u1161": 1}, {"가": 1}, True),
        ("a", "A", False),
    ],
)
def test_values_are_equal_as_json(one: Any, other: Any, same: bool) -> None:
    assert (same_json(one) == same_json(other)) is same
    assert (same_json([one]) == same_json([other])) is same


def test_a_subset_allows_arguments_that_were_not_expected_and_names_ask_for_none() -> None:
    made, expected = [call("search", city="부산", limit=5)], [SEARCH]
    assert [scored(ToolCalls("f1", arguments=mode), made, expected).value for mode in ("exact", "subset", "names")] == [
        0.0,
        1.0,
        1.0,
    ]
    assert scored(ToolCalls("f1", arguments="names"), [call("Search")], [call("search")]).value == 0.0


@pytest.mark.parametrize(
    ("rules", "got", "wanted", "good"),
    [
        ({"city": "text"}, {"city": " BUSAN  city"}, {"city": "Busan City"}, True),
        ({"city": "exact"}, {"city": "BUSAN"}, {"city": "Busan"}, False),
        ({"amount": "number"}, {"amount": "120.0"}, {"amount": 120}, True),
        ({"amount": "number"}, {"amount": 0.1 + 0.2}, {"amount": 0.3}, True),
        ({"amount": "number"}, {"amount": True}, {"amount": 1}, False),
        ({"amount": "number"}, {"amount": 10**400}, {"amount": 1}, False),
        ({"note": "ignore"}, {"note": "x", "a": 1}, {"a": 1}, True),
        ({"note": "ignore"}, {"a": 1}, {"note": "x", "a": 1}, True),
        ({"note": "ignore"}, {"a": 1, "b": 2}, {"a": 1}, False),
        ({"pay.note": "ignore"}, {"note": "x"}, {}, True),
        ({"search.note": "ignore"}, {"note": "x"}, {}, False),
        ({"note": "exact", "pay.note": "ignore"}, {"note": "x"}, {"note": "y"}, True),
    ],
)
def test_an_argument_is_compared_by_its_own_rule(rules: Any, got: Any, wanted: Any, good: bool) -> None:
    assert scored(ToolCalls(rules=rules), [ToolCall("pay", got)], [ToolCall("pay", wanted)]).value == float(good)


def test_what_comes_first_takes_no_other_calls_place() -> None:
    # One by one from the left the expected search would take the only call that also answers the second.
    made, expected = [call("t", a=1), call("t", a=1, b=2)], [call("t"), call("t", a=1)]
    for turned in permutations(made):
        for wanted in permutations(expected):
            assert scored(ToolCalls("f1", arguments="subset"), turned, wanted).value == 1.0
    made = [call("t", a=1), call("t", b=2)]
    assert scored(Trajectory("any_order", arguments="subset"), made, [call("t"), call("t", a=1)]).value == 1.0


def _brute(fits: Sequence[Sequence[int]], in_order: bool) -> int:
    """The largest set of pairs (expected, made) without a shared end, and without a crossing where in_order."""
    pairs = [(wanted, place) for wanted, places in enumerate(fits) for place in places]
    for size in range(min(len(pairs), 5), 0, -1):
        for chosen in combinations(pairs, size):
            wanted, places = zip(*chosen, strict=True)
            if len(set(wanted)) == len(set(places)) == size and (not in_order or list(places) == sorted(places)):
                return size
    return 0


def test_as_many_calls_are_paired_as_can_be() -> None:
    rng = random.Random(7)  # noqa: S311  # cases, no secrets
    agreement = Agreement.of("tool_calls", "subset", {})

    def some() -> list[ToolCall]:
        return [
            ToolCall(rng.choice("st"), {key: rng.choice([1, 2]) for key in "ab" if rng.random() < 0.5})
            for _ in range(rng.randrange(5))
        ]

    for _ in range(300):
        made, expected = some(), some()
        compared = agreement.compared([*made, *expected])
        did, should = compared[: len(made)], compared[len(made) :]
        fits = [[place for place, each in enumerate(did) if agreement.holds(each, want)] for want in should]
        assert matched(made, expected, agreement, in_order=True) == _brute(fits, True)
        found = matched(made, expected, agreement, in_order=False)
        assert found == _brute(fits, False)
        if made and expected:
            table = np.zeros((len(expected), len(made)))
            for row, places in enumerate(fits):
                table[row, places] = 1
            assert found == (maximum_bipartite_matching(csr_matrix(table)) >= 0).sum()


def test_kept_order_pairs_only_calls_that_do_not_cross() -> None:
    made, expected = [PAY, SEARCH, BOOK], [SEARCH, BOOK, PAY]
    assert scored(ToolCalls("recall"), made, expected).value == 1.0
    assert scored(ToolCalls("recall", order="kept"), made, expected).value == pytest.approx(2 / 3)


def test_more_pairs_than_can_be_compared_in_time_are_unscored() -> None:
    for metric in (ToolCalls(), Trajectory("subset")):
        score = scored(metric, [SEARCH] * 501, [SEARCH] * 500)
        assert (score.value, score.reason) == (None, reasons.TEXT_TOO_LONG)
        assert "501 calls against 500" in (score.explanation or "")
        wide = [ToolCall("pay", {f"a{n}": n for n in range(50)})] * 500
        score = scored(metric, wide, wide)
        assert (score.value, score.reason) == (None, reasons.TEXT_TOO_LONG)
        assert "25,000 arguments" in (score.explanation or "")
    assert scored(ToolCalls(), [SEARCH] * 500, [SEARCH] * 500).value == 1.0


@pytest.mark.parametrize("mode", ["exact", "subset"])
def test_arguments_are_walked_once_for_each_call_and_not_for_each_pair(mode: Any) -> None:
    walks = 0

    class Counted(list[int]):
        def __iter__(self) -> Iterator[int]:
            nonlocal walks
            walks += 1
            return super().__iter__()

    made, expected = ([call("search", cities=Counted([7, n])) for n in range(30)] for _ in range(2))
    assert scored(ToolCalls("recall", arguments=mode), made[::-1], expected).value == 1.0
    assert walks == 60


WAYS = {
    "as expected": [SEARCH, BOOK, PAY],
    "turned": [BOOK, SEARCH, PAY],
    "one more": [SEARCH, call("chat"), BOOK, PAY],
    "one less": [SEARCH, PAY],
    "one twice": [SEARCH, SEARCH, BOOK, PAY],
    "wrong value": [SEARCH, BOOK, call("pay", amount=12)],
    "none": [],
}


# strict, superset, unordered and subset of agentevals 0.0.9, each call in a turn of its own; in_order as the
# trajectory evaluator of google-adk defines IN_ORDER, exact and any_order as its EXACT and ANY_ORDER too.
@pytest.mark.parametrize(
    ("kind", "good"),
    [
        ("exact", {"as expected"}),
        ("in_order", {"as expected", "one more", "one twice"}),
        ("any_order", {"as expected", "turned", "one more", "one twice"}),
        ("unordered", {"as expected", "turned"}),
        ("subset", {"as expected", "turned", "one less", "none"}),
        ("strict", {"as expected"}),
        ("superset", {"as expected", "turned", "one more", "one twice"}),
    ],
)
def test_a_way_is_good_as_its_kind_says(kind: Any, good: set[str]) -> None:
    metric = Trajectory(kind)
    assert {name for name, made in WAYS.items() if scored(metric, made, [SEARCH, BOOK, PAY]).value == 1.0} == good


def test_no_expected_calls_forbid_calls_only_where_none_other_may_be() -> None:
    kinds: list[Any] = ["exact", "in_order", "any_order", "unordered", "subset"]
    assert [scored(Trajectory(kind), [PAY], []).value for kind in kinds] == [0.0, 1.0, 1.0, 0.0, 0.0]
    assert [scored(Trajectory(kind), [], []).value for kind in kinds] == [1.0] * 5


def test_two_names_of_one_kind_are_one_metric() -> None:
    assert Trajectory("strict").facts == Trajectory("exact").facts
    assert Trajectory("superset").facts.text == "trajectory(any_order)"
    assert ToolCalls("recall", rules={"q": "text"}).facts.text == 'tool_calls(recall, rules={"q":"text"})'


TALK = (
    Message("user", "부산 호텔 예약해 줘"),
    Message("assistant", "찾아볼게요", tool_calls=(SEARCH,)),
    Message("tool", '["해운대"]'),
    Message("assistant", "", tool_calls=(BOOK, PAY)),
    Message("tool", "ok"),
    Message("assistant", "예약했습니다"),
)


def test_calls_are_those_of_the_transcript_else_those_of_the_answer() -> None:
    sample = Sample("s1", "부산 호텔 예약해 줘", tool_calls=(SEARCH, BOOK, PAY))
    assert Trajectory("exact").score(sample, Generation("예약했습니다", transcript=TALK)).value == 1.0
    said = tuple(Message(turn.role, turn.content) for turn in TALK)
    answer = Generation("예약했습니다", tool_calls=(SEARCH,), transcript=said)
    assert ToolCalls("recall").score(sample, answer).value == pytest.approx(1 / 3)
    assert ToolCalls("recall").score(sample, Generation("예약했습니다")).value == 0.0


@pytest.mark.parametrize("instructions", [(), (Message("system", "You book hotels."),)])
def test_turns_that_were_given_are_not_the_agents(instructions: tuple[Message, ...]) -> None:
    sample = Sample("s1", TALK[:3], tool_calls=(BOOK, PAY))
    answer = Generation("예약했습니다", transcript=(*instructions, *TALK))
    assert Trajectory("exact").score(sample, answer).value == 1.0
    assert Steps().score(sample, answer).value == 2.0
    assert Steps("calls").score(sample, answer).value == 2.0


@pytest.mark.parametrize(
    "told", [lambda text: unicodedata.normalize("NFD", text), lambda text: f" {text}\n", lambda text: f"\t{text}"]
)
def test_a_given_turn_that_comes_back_trimmed_or_decomposed_is_still_given(told: Any) -> None:
    sample = Sample("s1", TALK[:3], tool_calls=(BOOK, PAY))
    back = tuple(Message(turn.role, told(turn.content), tool_calls=turn.tool_calls) for turn in TALK[:3])
    answer = Generation("예약했습니다", transcript=(*back, *TALK[3:]))
    assert Steps().score(sample, answer).value == 2.0
    assert Steps("calls").score(sample, answer).value == 2.0
    assert Trajectory("exact").score(sample, answer).value == 1.0


def test_steps_are_turns_or_calls_and_unscored_where_nothing_tells_them() -> None:
    sample = Sample("s1", "부산 호텔 예약해 줘")
    assert Steps().score(sample, Generation("예약했습니다", transcript=TALK)).value == 3.0
    assert Steps("calls").score(sample, Generation("예약했습니다", transcript=TALK)).value == 3.0
    assert Steps("calls").score(sample, Generation("x", tool_calls=(PAY,))).value == 1.0
    for metric in (Steps(), Steps("calls")):
        assert metric.score(sample, Generation("x")).reason == reasons.NOT_MEASURED
    assert not Steps().facts.higher_is_better


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ToolCalls("f2"), "part 'f2' is none of precision, recall, f1; did you mean 'f1'"),  # type: ignore[arg-type]
        (lambda: ToolCalls(arguments="subsets"), "did you mean 'subset'"),  # type: ignore[arg-type]
        (lambda: ToolCalls(order="kep"), "did you mean 'kept'"),  # type: ignore[arg-type]
        (lambda: ToolCalls(rules={"q": "fuzzy"}), "rules.q 'fuzzy' is none of exact, text, number, ignore"),
        (lambda: ToolCalls(arguments="names", rules={"q": "text"}), "choose one"),
        (lambda: Trajectory("in_oder"), "did you mean 'in_order'"),  # type: ignore[arg-type]
        (lambda: Steps("tokens"), "none of turns, calls"),  # type: ignore[arg-type]
    ],
)
def test_a_parameter_that_there_is_not_is_named_with_those_there_are(make: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("(", r"\(")):
        make()
