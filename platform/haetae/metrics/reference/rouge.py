"""ROUGE: overlap with a reference by n-grams or by the longest common subsequence.

Source: Lin, "ROUGE: a package for automatic evaluation of summaries" (2004), in the form of the
rouge-score package: F-measure with beta 1, Lsum by union of subsequences with sentences at line ends.
With `tokenizer=ascii` the numbers are that package's, but for one case: it gives identical texts of a
single word a ROUGE-2 of 0 because they have no bigram; identical token lists score 1 here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.metrics.choices import canonical, one_of
from haetae.metrics.reference.counting import counted, ngrams, overlap
from haetae.metrics.reference.tokenize import Cut, tokenizer
from haetae.metrics.text import EMPTY_OUTPUT, no_reference, references

Tokens = Sequence[str]


_USUAL = 20_000
"""Characters of a text whose tokens are kept for a while."""

_BLOCK = 4_096
"""Tokens whose bits stand in one integer of the longest common subsequence."""

_PAIRS, _CELLS = 10**6, 2 * 10**8
"""Pairs of sentences, and cells of a table, that Lsum goes through: some seconds, and 25 MB."""


class Rouge:
    """The F-measure of ROUGE-1, ROUGE-2, ROUGE-L or ROUGE-Lsum, in [0, 1], higher is better.

    2 P R / (P + R), where P is the share of the output's tokens (pairs of tokens for 2) that the reference has, and
    R the share of the reference's that the output has: each as often as both have it (1, 2), in one order (L, the
    longest common subsequence), or line by line of the reference in one order (Lsum). The best reference counts.
    Source: Lin 2004, as rouge-score computes it; with `tokenizer: ascii` the numbers are that package's, but that
    identical texts of one word score 1 in ROUGE-2 as well. Unscored where every reference is blank, where the
    tokenizer drops all text of every reference, and, for Lsum alone, where output and reference together are beyond
    a million pairs of lines or 200 million pairs of tokens.
    """

    def __init__(self, variant: str | int = "L", *, tokenizer: str = "unicode") -> None:
        self._variant = one_of("rouge", "variant", str(variant), ("1", "2", "L", "Lsum"))
        self._tokenizer = _tokenizer(tokenizer, "rouge")
        shown = int(variant) if self._variant.isdigit() else self._variant
        self.facts = MetricFacts(
            text=canonical("rouge", shown, tokenizer=(tokenizer, "unicode")),
            version="1",
            needs=frozenset({"reference"}),
            signature={"tokenizer": self._tokenizer.signature, "unicode": "NFC", "case": "lower", "measure": "F1"},
        )

    def score(self, sample: Sample, generation: Generation) -> Score:
        given = references(sample)
        if not given:
            return no_reference()
        best = None
        for reference in given:
            cut = self._tokenizer.pick(reference)
            if not _tokens(cut, reference):
                continue
            found = self._against(reference, generation.output, cut)
            if found is None:
                return Score.unscored(reasons.TEXT_TOO_LONG, "the lines of output and reference make too many pairs")
            best = max(best or 0.0, found)
        if best is None:
            return Score.unscored(reasons.UNSUPPORTED_LANGUAGE, "the tokenizer drops all text of every reference")
        return Score(best, explanation=None if generation.output.strip() else EMPTY_OUTPUT)

    def _against(self, reference: str, output: str, cut: Cut) -> float | None:
        if self._variant == "Lsum":
            lines, others = _sentences(reference, cut), _sentences(output, cut)
            cells = sum(map(len, lines)) * sum(map(len, others))
            return _lsum(lines, others) if len(lines) * len(others) <= _PAIRS and cells <= _CELLS else None
        tokens, wanted = _tokens(cut, output), _tokens(cut, reference)
        if tokens == wanted:
            return 1.0
        if self._variant == "L":
            return _f1(lcs_length(tokens, wanted), len(tokens), len(wanted))
        n = int(self._variant)
        hits = overlap(ngrams(tokens, n), counted(ngrams(wanted, n)))
        return _f1(hits, len(tokens) - n + 1, len(wanted) - n + 1)


_tokenizer = tokenizer  # the constructor's parameter has the same name


def _tokens(cut: Cut, text: str) -> tuple[str, ...]:
    """The tokens; each ROUGE of a suite meets the same texts, and those of usual length are cut once."""
    return cut(text) if len(text) > _USUAL else _cached(cut, text)


@lru_cache(maxsize=256)
def _cached(cut: Cut, text: str) -> tuple[str, ...]:
    return cut(text)


def _f1(hits: int, found: int, wanted: int) -> float:
    if not hits:
        return 0.0
    precision, recall = hits / found, hits / wanted
    return 2 * precision * recall / (precision + recall)


def _positions(tokens: Tokens) -> dict[str, int]:
    """For each token the bits of the places where it stands."""
    places: dict[str, int] = {}
    for place, token in enumerate(tokens):
        places[token] = places.get(token, 0) | 1 << place
    return places


def lcs_length(a: Tokens, b: Tokens) -> int:
    """The length of the longest common subsequence.

    Bit-parallel: one row of the table is one integer, a step of its staircase one cleared bit. The shorter
    side is worked on in blocks, each handing its carry bits to the next, so that memory stays small.
    Source: Hyyrö, "Bit-parallel LCS-length computation revisited" (2004).
    """
    if len(a) > len(b):
        a, b = b, a
    if len(a) <= _BLOCK:
        return _in_block(a, b)
    carries = bytearray(len(b))
    return sum(_in_next_block(a[start : start + _BLOCK], b, carries) for start in range(0, len(a), _BLOCK))


def _in_block(block: Tokens, other: Tokens) -> int:
    places = _positions(block)
    full = row = (1 << len(block)) - 1
    for token in other:
        if match := row & places.get(token, 0):
            row = ((row + match) | (row - match)) & full
    return len(block) - row.bit_count()


def _in_next_block(block: Tokens, other: Tokens, carries: bytearray) -> int:
    places, width = _positions(block), len(block)
    full = row = (1 << width) - 1
    for place, token in enumerate(other):
        match = row & places.get(token, 0)
        if match or carries[place]:
            added = row + match + carries[place]
            carries[place] = added >> width
            row = (added | (row - match)) & full
    return width - row.bit_count()


def _common(reference: Tokens, other: Tokens) -> set[int]:
    """The places in the reference of one longest common subsequence: the one rouge-score walks back to."""
    places = _positions(reference)
    full = (1 << len(reference)) - 1
    rows = [full]
    for token in other:
        row = rows[-1]
        match = row & places.get(token, 0)
        rows.append(((row + match) | (row - match)) & full if match else row)
    found: set[int] = set()
    i, j = len(reference), len(other)
    while i and j:
        if reference[i - 1] == other[j - 1]:
            i, j = i - 1, j - 1
            found.add(i)
        elif rows[j] >> (i - 1) & 1:  # no step here: the same length without this word of the reference
            i -= 1
        else:
            j -= 1
    return found


def _sentences(text: str, cut: Cut) -> list[tuple[str, ...]]:
    return [_tokens(cut, line) for line in text.split("\n") if line]


def _lsum(reference: list[tuple[str, ...]], output: list[tuple[str, ...]]) -> float:
    if len(reference) == len(output) == 1:  # one line against one: ROUGE-L
        return _f1(lcs_length(*reference, *output), len(output[0]), len(reference[0]))
    wanted, found = (counted(chain.from_iterable(lines)) for lines in (reference, output))
    sizes = found.total(), wanted.total()
    hits = 0
    for line in reference:
        union = set[int]().union(*(_common(line, other) for other in output))
        for place in union:
            token = line[place]
            if wanted[token] > 0 and found[token] > 0:  # no token is counted twice
                hits += 1
                wanted[token] -= 1
                found[token] -= 1
    return _f1(hits, *sizes)
