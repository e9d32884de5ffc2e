"""Words and patterns as a stage of a guard: linear in the length of the text, whatever the pattern."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import re2  # type: ignore[import-untyped]  # ships no types
import regex  # type: ignore[import-untyped]  # ships no types

from haetae.core.canonical import Json, digest
from haetae.core.generation import Failure
from haetae.core.guard import Check, Decision
from haetae.core.guard_spec import Normalise
from haetae.core.normal_form import normal_form
from haetae.errors import ConfigError

_MOST_MEMORY = 256 * 2**20
"""For the automaton of a long word list, in bytes."""
_GLUED = r"\p{Hangul}\p{Han}\p{Hiragana}\p{Katakana}"
"""Scripts in which a word stands next to others without a blank: Korean particles follow their noun."""
_EDGE = rf"[^\p{{L}}\p{{M}}\p{{N}}]|[{_GLUED}]"
_SPACED = regex.compile(rf"[\p{{L}}\p{{N}}--[{_GLUED}]]", regex.V1)
_INVISIBLE = regex.compile(r"\p{Cf}")


class Rules:
    """A text that has one of the words or patterns is decided; every other is left to the next stage.

    Texts, words and patterns are brought to one form of Unicode first, and characters that are not seen (zero
    width spaces) are dropped from the text. Words are found whatever their case: in scripts with blanks between words
    as whole words (`ass` is not in `glass`), in Hangul, Han and kana anywhere (`폭탄` is in `폭탄을`). Patterns are
    RE2's: no look-around, no references back, and so never more than linear in the length of the text.
    """

    free = True
    reusable = True
    deterministic = True

    def __init__(
        self, words: Sequence[str], patterns: Sequence[str], decides: Decision = "block", normalise: Normalise = "NFKC"
    ) -> None:
        self._decides = decides
        self._form = normalise
        patterns = [normal_form(normalise, pattern) for pattern in patterns]
        self._rules = [*self._words(words), *map(_compiled, patterns)]
        self._digest = digest(sorted(set(words)), sorted(set(patterns)))

    @property
    def fingerprint(self) -> Mapping[str, Json]:
        """The rules by content, the form of Unicode, and the engine."""
        return {
            "kind": "rules",
            "rules": self._digest,
            "decides": self._decides,
            "normalise": self._form,
            "engine": f"re2 {version('google-re2')}",
        }

    async def check(self, text: str) -> Check | Failure:
        """Decided where a rule is found in the text."""
        seen = self._seen(text).encode("utf-8", "replace")
        hit = any(rule.search(seen) is not None for rule in self._rules)
        return Check(self._decides == "block" if hit else None, cost_usd=0.0)

    def _seen(self, text: str) -> str:
        return normal_form(self._form, _INVISIBLE.sub("", text))

    def _words(self, words: Iterable[str]) -> Iterator[Any]:
        """The words as patterns: one for all whose two ends are alike, so that a long list stays one automaton."""
        alike: dict[tuple[str, str], list[str]] = defaultdict(list)
        for word in sorted({" ".join(self._seen(word).split()) for word in words} - {""}):
            before = rf"(?:^|{_EDGE})" if _SPACED.match(word[0]) else ""
            after = rf"(?:$|{_EDGE})" if _SPACED.match(word[-1]) else ""
            alike[before, after].append(r"\s+".join(map(re2.escape, word.split())))
        for (before, after), bodies in alike.items():
            yield _compiled(f"(?i){before}(?:{'|'.join(bodies)}){after}")


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_MEMORY
    try:
        return re2.compile(pattern.encode("utf-8"), options)
    except re2.error as exc:
        why = exc.args[0].decode() if isinstance(exc.args[0], bytes) else exc.args[0]
        shown = pattern if len(pattern) <= 60 else pattern[:60] + "…"
        raise ConfigError(f"{shown!r} is not a pattern of RE2: {why}") from exc
