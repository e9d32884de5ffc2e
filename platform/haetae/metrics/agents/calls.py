"""What an agent did: which tools it called, by which way it came, in how many steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.metrics.agents.tool_match import Agreement, Mode, calls_made, matched
from haetae.metrics.agents.transcript import written
from haetae.metrics.choices import canonical, one_of

Part = Literal["precision", "recall", "f1"]
Kind = Literal["exact", "in_order", "any_order", "unordered", "subset", "strict", "superset"]

MAX_PAIRS = 250_000
"""Pairs of a call made and one expected that are compared: some tenths of a second."""
MAX_ARGUMENTS = 10_000_000
"""Pairs of a call made and an argument of one expected: some tenths of a second too."""

_SAME_KIND = {"strict": "exact", "superset": "any_order"}
"""Names of agentevals for what ADK and Vertex AI call otherwise."""
_ONE_SIDE_EMPTY = "no tool should be called and some were, or some should be and none was"


class ToolCalls:
    """How far the calls made are the calls expected, in [0, 1]: `precision`, `recall` or their `f1`.

    With m of the n calls made answering as many of the k expected ones: precision m/n, recall m/k,
    F1 2m/(n+k). `arguments` says when a call answers another (`exact`, `subset`, `names`), `rules` how
    arguments of a name are compared (`exact`, `text`, `number`, `ignore`); see `haetae.metrics.agents.tool_match`.
    `order: kept` pairs only calls that come in the expected order, `any` a maximum matching. Calls are counted,
    not their kinds: a call made twice must be expected twice. Nothing called where nothing was expected is 1;
    where only one side is empty all three are 0. Statistics: [matched, made, expected]. Unscored with
    `missing_expected` where the sample names no `tool_calls` at all (an empty list says that none is right), with
    `text_too_long` where there are over 250,000 pairs of calls, or 10,000,000 of arguments, to compare.
    Source: precision and recall of a trajectory as in Vertex AI's agent evaluation, on multisets.
    """

    def __init__(
        self,
        part: Part = "f1",
        *,
        arguments: Mode = "exact",
        rules: dict[str, str] | None = None,
        order: Literal["any", "kept"] = "any",
    ) -> None:
        self._part = one_of("tool_calls", "part", part, ("precision", "recall", "f1"))
        self._in_order = one_of("tool_calls", "order", order, ("any", "kept")) == "kept"
        self._agreement = Agreement.of("tool_calls", arguments, rules or {})
        self.facts = MetricFacts(
            text=canonical(
                "tool_calls", part, arguments=(arguments, "exact"), rules=(rules or {}, {}), order=(order, "any")
            ),
            version="2",
            signature={"unicode": "NFC"},
        )

    def score(self, sample: Sample, generation: Generation) -> Score:
        counts = _counts(sample, generation, self._agreement, in_order=self._in_order)
        if isinstance(counts, Score):
            return counts
        found, made, expected = counts
        if not made or not expected:
            both = not made and not expected
            return Score(float(both), counts, explanation=None if both else _ONE_SIDE_EMPTY)
        parts = {"precision": found / made, "recall": found / expected, "f1": 2 * found / (made + expected)}
        return Score(parts[self._part], counts)


class Trajectory:
    """Whether the calls made are the expected way, 0 or 1.

        exact       the expected calls in their order, none more     ADK EXACT; agentevals strict
        in_order    all expected calls in their order, others too    ADK IN_ORDER
        any_order   all expected calls, others too                   ADK ANY_ORDER; agentevals superset
        unordered   the expected calls in any order, none more       agentevals unordered
        subset      no call but expected ones                        agentevals subset

    `strict` and `superset` are taken as names of `exact` and `any_order`; agentevals' strict compares the roles
    of all turns too, which a list of expected calls does not tell. `arguments` and `rules` as in `tool_calls`.
    Calls are paired one to one by a maximum matching; agentevals and ADK pair greedily, and miss a pairing
    that exists where a call answers several expected ones. Statistics: [matched, made, expected]. Unscored as
    `tool_calls`, which also gives partial credit.
    """

    def __init__(self, kind: Kind, *, arguments: Mode = "exact", rules: dict[str, str] | None = None) -> None:
        named = one_of("trajectory", "kind", kind, (*_KINDS, *_SAME_KIND))
        self._kind = _SAME_KIND.get(named, named)
        self._agreement = Agreement.of("trajectory", arguments, rules or {})
        self.facts = MetricFacts(
            text=canonical("trajectory", self._kind, arguments=(arguments, "exact"), rules=(rules or {}, {})),
            version="2",
            signature={"unicode": "NFC"},
        )

    def score(self, sample: Sample, generation: Generation) -> Score:
        in_order, all_expected, no_other = _KINDS[self._kind]
        counts = _counts(sample, generation, self._agreement, in_order=in_order)
        if isinstance(counts, Score):
            return counts
        found, made, expected = counts
        good = (found == expected or not all_expected) and (found == made or not no_other)
        return Score(float(good), counts)


_KINDS: Mapping[str, tuple[bool, bool, bool]] = {
    "exact": (True, True, True),
    "in_order": (True, True, False),
    "any_order": (False, True, False),
    "unordered": (False, True, True),
    "subset": (False, False, True),
}
"""Kind → (in order, every expected call is made, no other call is made)."""


class Steps:
    """How many steps the agent took, from 0 up, lower is better: assistant `turns`, or tool `calls`.

    Turns and calls that the sample's input already held are not counted. Unscored with `not_measured` where
    the target tells neither a transcript nor (for `calls`) its tool calls.
    """

    def __init__(self, count: Literal["turns", "calls"] = "turns") -> None:
        self._count = one_of("steps", "count", count, ("turns", "calls"))
        self.facts = MetricFacts(
            text=canonical("steps", count=(count, "turns")), version="2", high=None, higher_is_better=False
        )

    def score(self, sample: Sample, generation: Generation) -> Score:
        if not generation.transcript and (self._count == "turns" or generation.tool_calls is None):
            return Score.unscored(reasons.NOT_MEASURED, "the target gave no transcript to count steps in")
        if self._count == "turns":
            return Score(float(len(written(sample, generation))))
        return Score(float(len(calls_made(sample, generation))))


def _counts(
    sample: Sample, generation: Generation, agreement: Agreement, *, in_order: bool
) -> tuple[float, float, float] | Score:
    """(matched, made, expected), or why there are none."""
    if sample.tool_calls is None:
        return Score.unscored(reasons.MISSING_EXPECTED, "the sample does not say which tools should be called")
    made, expected = calls_made(sample, generation), sample.tool_calls
    arguments = sum(len(call.arguments) for call in expected)
    if len(made) * len(expected) > MAX_PAIRS or len(made) * arguments > MAX_ARGUMENTS:
        most = f"over {MAX_PAIRS:,} pairs of calls, or {MAX_ARGUMENTS:,} of arguments, to compare"
        many = f"{len(made)} calls against {len(expected)} with {arguments:,} arguments are {most}"
        return Score.unscored(reasons.TEXT_TOO_LONG, many)
    return float(matched(made, expected, agreement, in_order=in_order)), float(len(made)), float(len(expected))
