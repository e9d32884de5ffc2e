"""Whether the number in an output is the reference's, within a tolerance."""

from __future__ import annotations

import math
from decimal import Decimal

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError, Problem
from haetae.metrics.choices import canonical, one_of
from haetae.metrics.form.numerals import Number, normalised, numbers
from haetae.metrics.text import EMPTY_OUTPUT, no_reference

_SAME = (("원", "₩", "KRW"), ("$", "달러", "USD"), ("%", "퍼센트"))
"""Units that are written in several ways."""


class Numeric:
    """1 where |number of the output − number of the reference| ≤ max(absolute, relative × |reference|), else 0.

    What is a number, `haetae.metrics.form.numerals` says: `3만 5천`, `삼만 오천 원`, `35,000` and `３５０００` are one.
    Korean number words are read exactly (`서른 개`, `십오입니다`), or doubtful, never passed over: `한두 개`.
    `which` says which number of the output is meant: the `only` one (one value, however often), the `first` or
    the `last`. With `unit` only numbers of the output beside that unit count (`원`, `%`, `kg`, `$`); a reference may
    leave it out. `원`, `₩` and `KRW` are one unit, `$` and `달러`, `%` and `퍼센트` too. Units are not converted: 50%
    is 50. Arithmetic is decimal. Range 0 to 1, higher is better; the best reference counts. An output without a
    number is 0. Unscored where the number is doubtful, or `only` finds several; and where no reference states
    exactly one number.
    """

    def __init__(
        self, which: str = "only", *, absolute: float = 0.0, relative: float = 0.0, unit: str | None = None
    ) -> None:
        self._which = one_of("numeric", "which", which, ("only", "first", "last"))
        self._absolute, self._relative = _tolerance("absolute", absolute), _tolerance("relative", relative)
        if unit is not None and not (isinstance(unit, str) and unit.strip()):
            raise ConfigError(Problem(f"{unit!r} is no unit such as 원, % or kg", field="unit"))
        self._unit = None if unit is None else normalised(unit).strip()
        self._units = next((same for same in _SAME if self._unit in same), (self._unit or "",))
        positional = [] if which == "only" else [which]
        self.facts = MetricFacts(
            text=canonical("numeric", *positional, absolute=(absolute, 0), relative=(relative, 0), unit=(unit, None)),
            version="2",
            needs=frozenset({"reference"}),
            signature={"numerals": "2", "unicode": "NFKC"},
        )

    def score(self, sample: Sample, generation: Generation) -> Score:
        given = [reference for reference in sample.references if reference.strip()]
        if not given:
            return no_reference()
        values = {number.value for number in map(self._stated, given) if number is not None}
        wanted = [value for value in values if value is not None]
        if not wanted:
            return Score.unscored(reasons.MISSING_REFERENCE, f"no one number is stated in {given[0][:80]!r}")
        if not generation.output.strip():
            return Score(0.0, explanation=EMPTY_OUTPUT)
        found = self._counted(generation.output)
        if not found:
            beside = "" if self._unit is None else f" beside {self._unit!r}"
            return Score(0.0, explanation=f"the output states no number{beside}")
        number = _picked(found, self._which)
        if number is None or number.value is None:
            read = ", ".join(repr(each.text) for each in found[:5])
            return Score.unscored(reasons.AMBIGUOUS, f"which number is meant cannot be told: {read}")
        return Score(float(any(self._close(number.value, value) for value in wanted)))

    def _stated(self, reference: str) -> Number | None:
        """The one number of a reference: one that no unit stands beside is taken where there is no other."""
        return _picked(self._counted(reference), "only") or _picked(numbers(normalised(reference)), "only")

    def _counted(self, text: str) -> list[Number]:
        text = normalised(text)
        found = numbers(text, self._unit)
        if self._unit is None:
            return found
        return [number for number in found if any(_beside(text, number, unit) for unit in self._units)]

    def _close(self, value: Decimal, wanted: Decimal) -> bool:
        return abs(value - wanted) <= max(self._absolute, self._relative * abs(wanted))


def _tolerance(parameter: str, value: object) -> Decimal:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        return Decimal(str(value))
    raise ConfigError(Problem(f"expected a tolerance of 0 or more, got {value!r}", field=parameter))


def _picked(found: list[Number], which: str) -> Number | None:
    """The number that counts. Of several the `only` one is that whose value the clear ones agree on."""
    if not found:
        return None
    if which != "only":
        return found[0 if which == "first" else -1]
    clear = [number for number in found if number.value is not None]
    if not clear:
        return found[0]
    return clear[0] if len({number.value for number in clear}) == 1 else None


def _beside(text: str, number: Number, unit: str) -> bool:
    """Whether the unit stands right after the number, or right before it as a currency does; a blank may part them."""
    after = number.end + (text[number.end : number.end + 1] == " ")
    if text.startswith(unit, after):
        more = text[after + len(unit) : after + len(unit) + 1]
        return not (unit[-1].isascii() and unit[-1].isalpha() and more.isascii() and more.isalpha())  # 5 m is not 5 min
    before = number.start - (text[max(number.start - 1, 0) : number.start] == " ")
    return text.endswith(unit, 0, before)
