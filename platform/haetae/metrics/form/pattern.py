"""Whether an output matches a regular expression, in time that grows with its length and no faster.

The expression is RE2's (https://github.com/google/re2/wiki/Syntax): what a backtracking engine needs
minutes for, `(a+)+$` on a long line of a's, takes milliseconds. Look-around and back-references do
not exist there; an expression that has one is refused before the run.
"""

from __future__ import annotations

from importlib.metadata import version

import re2  # type: ignore[import-untyped]  # ships no types

from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError, Problem
from haetae.metrics.choices import canonical, one_of
from haetae.metrics.text import EMPTY_OUTPUT, HALF, nfc


class Regex:
    """1 where the output matches the pattern, else 0.

    With `match` `search` the pattern may stand anywhere in the output, with `full` the whole output must
    match. Pattern and output are brought to NFC. `(?i)` at the start ignores case, `(?s)` lets `.` match a
    line end; `\\d`, `\\w` and `\\b` know ASCII only, `\\p{N}` and `\\p{Hangul}` know Unicode. Half of a surrogate
    pair is read as the replacement character U+FFFD. Range 0 to 1, higher is better. Never unscored.
    """

    def __init__(self, pattern: str, *, match: str = "search") -> None:
        self._full = one_of("regex", "match", match, ("search", "full")) == "full"
        self._pattern = _compiled(pattern)
        self.facts = MetricFacts(
            text=canonical("regex", pattern, match=(match, "search")),
            version="2",
            signature={"engine": f"google-re2 {version('google-re2')}", "unicode": "NFC"},
        )

    def score(self, sample: Sample, generation: Generation) -> Score:
        text = HALF.sub("\ufffd", nfc(generation.output))
        found = self._pattern.fullmatch(text) if self._full else self._pattern.search(text)
        return Score(float(found is not None), explanation=None if generation.output.strip() else EMPTY_OUTPUT)


def _compiled(pattern: str) -> re2._Regexp:
    if HALF.search(pattern):
        raise ConfigError(Problem(f"{pattern!r} holds half of a character (a lone surrogate)", field="regex"))
    options = re2.Options()
    options.log_errors = False  # it would write to the terminal; the error is raised as well
    try:
        return re2.compile(nfc(pattern), options=options)
    except re2.error as exc:
        why = exc.args[0].decode() if isinstance(exc.args[0], bytes) else str(exc)
        wrong = f"{pattern!r} is no expression of RE2, which has no look-around and no back-references: {why}"
        raise ConfigError(Problem(wrong, field="regex")) from exc
