"""How far the reference metrics are from the tools that they follow: cases, and the largest difference.

    python tests/bench/oracles.py [--cases 10000]

Random texts of seven scripts. Prints a Markdown table. The tests assert the same on fewer cases.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import jsonschema
import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF, TER

from haetae.core.generation import Generation
from haetae.core.metric import CorpusMetric, Metric
from haetae.core.sample import Sample
from haetae.metrics.form.contains import Contains
from haetae.metrics.form.json_match import JsonMatch
from haetae.metrics.form.json_schema import JsonSchema
from haetae.metrics.form.json_text import JsonValid
from haetae.metrics.form.numeric import Numeric
from haetae.metrics.form.pattern import Regex
from haetae.metrics.reference.bleu import Bleu
from haetae.metrics.reference.chrf import Chrf
from haetae.metrics.reference.rouge import Rouge
from haetae.metrics.reference.ter import Ter

_ENGLISH = ["the", "a", "cat", "dog", "sat", "ran", "on", "mat", "don't", "GPT-4o", "3.14", "and\n", "(hi)", "end.\n"]
_OTHERS = [
    "고양이가",
    "학교에",
    "갔습니다.",
    "我们",
    "学校。",
    "東京へ",
    "行きました。",
    "ไปโรงเรียน",
    "кошка",
    "café",
    "👍🏽",
    "3.5%",
]
_ALL = [*_ENGLISH, *_OTHERS, "&quot;", "U.S.", ",", ".", "!"]
_PATTERNS = [r"\d+", "고양이", "^the.*mat$", "cat|dog", "[가-힣]{2,}", r"(a|o)*n", r"\bsat\b", "(?i)GPT"]
_SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}},
    {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": True},
    {"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]},
    {"additionalProperties": False, "patternProperties": {"^[ab]$": {"enum": [1, "가", None]}}},
]


def text(rng: random.Random, words: list[str], most: int) -> str:
    """Some words, at least one."""
    return " ".join(rng.choices(words, k=rng.randint(1, most)))


def value(rng: random.Random, depth: int = 2) -> Any:
    """A JSON value."""
    kind = rng.randrange(8 if depth else 6)
    if kind == 6:
        return [value(rng, depth - 1) for _ in range(rng.randrange(3))]
    if kind == 7:
        return {rng.choice("abc"): value(rng, depth - 1) for _ in range(rng.randrange(3))}
    return [None, True, False, rng.randint(-2, 2), float(rng.randint(-2, 2)), rng.choice(["", "가", "b"])][kind]


def scored(metric: Metric, output: str, *references: str) -> Any:
    """The score of one answer."""
    return metric.score(Sample("s", "", references), Generation(output))


def rouge(rng: random.Random, cases: int) -> Iterator[tuple[str, str, int, float]]:
    """ROUGE on English, sample by sample."""
    for variant in ("1", "2", "L", "Lsum"):
        theirs, ours, largest = RougeScorer([f"rouge{variant}"]), Rouge(variant, tokenizer="ascii"), 0.0
        for _ in range(cases):
            reference, output = text(rng, _ENGLISH, 30) + " x", text(rng, _ENGLISH, 30)
            expected = theirs.score(reference, output)[f"rouge{variant}"].fmeasure
            largest = max(largest, abs(scored(ours, output, reference).value - expected))
        yield ours.facts.text, f"rouge-score {version('rouge-score')}", cases, largest


def corpora(rng: random.Random, cases: int) -> Iterator[tuple[str, str, int, float]]:
    """BLEU, chrF and TER: corpora of 1 to 8 samples with 1 to 3 references."""
    names = ("13a", "intl", "zh", "char", "none", "ja-mecab", "ko-mecab")
    pairs: list[tuple[CorpusMetric, Any]] = [
        *((Bleu(name), BLEU(tokenize=name)) for name in names),
        *((Chrf(order), CHRF(word_order=order)) for order in (0, 2)),
        *((Ter(), TER()), (Ter(normalized=True, asian_support=True), TER(normalized=True, asian_support=True))),
    ]
    for ours, theirs in pairs:
        largest = 0.0
        for _ in range(cases // 10):
            size, count = rng.randint(1, 8), rng.randint(1, 3)
            outputs = [text(rng, _ALL, 12) for _ in range(size)]
            references = [[text(rng, _ALL, 12) for _ in range(count)] for _ in range(size)]
            rows = [scored(ours, output, *given).stats for output, given in zip(outputs, references, strict=True)]
            found = float(ours.corpus(np.array(rows).sum(axis=0)))
            expected = theirs.corpus_score(outputs, list(zip(*references, strict=True))).score
            largest = max(largest, abs(found - expected))
        yield ours.facts.text, f"sacrebleu {version('sacrebleu')}", cases // 10, largest


def forms(rng: random.Random, cases: int) -> Iterator[tuple[str, str, int, float]]:
    """Yes or no: a difference of 1 is a mistake."""
    engine, schema = "Python's re", f"jsonschema {version('jsonschema')}"

    def contains() -> tuple[Any, bool]:
        output, part = text(rng, _ALL, 12), rng.choice(_ALL)
        return scored(Contains(part), output), part in output

    def regex() -> tuple[Any, bool]:
        output, pattern = text(rng, _ALL, 12), rng.choice(_PATTERNS)
        return scored(Regex(pattern), output), re.search(pattern, output, re.ASCII) is not None

    def valid() -> tuple[Any, bool]:
        output = list(json.dumps(value(rng), ensure_ascii=False))
        output[rng.randrange(len(output))] = rng.choice(list('{}[],:"0 a'))
        return scored(JsonValid(), "".join(output)), _parses("".join(output))

    def allowed() -> tuple[Any, bool]:
        given, one = value(rng), rng.choice(_SCHEMAS)
        return scored(JsonSchema(one), json.dumps(given)), jsonschema.Draft202012Validator(one).is_valid(given)

    def equal() -> tuple[Any, bool]:
        given, other = value(rng), value(rng)
        expected = jsonschema.Draft202012Validator({"const": other}).is_valid(given)
        return scored(JsonMatch(), json.dumps(given), json.dumps(other)), expected

    def near() -> tuple[Any, bool]:
        wanted, tolerance = rng.randint(-(10**6), 10**6), rng.randint(0, 10**5)
        given = wanted + rng.randint(-(10**5), 10**5)
        output = rng.choice([f"답은 {given:,}원", f"about {given} USD.", f"＝{given}"])
        return scored(Numeric(absolute=tolerance), output, str(wanted)), abs(given - wanted) <= tolerance

    contests: list[tuple[str, str, Callable[[], tuple[Any, bool]]]] = [
        ("contains", "Python's in", contains),
        ("regex", engine, regex),
        ("json_valid", "Python's json", valid),
        ("json_schema", schema, allowed),
        ("json_match", f"const of {schema}", equal),
        ("numeric", "Python's integers", near),
    ]
    for name, oracle, case in contests:
        pairs = [case() for _ in range(cases)]
        yield name, oracle, cases, max(abs(found.value - expected) for found, expected in pairs)


def _parses(given: str) -> bool:
    try:
        json.loads(given)
    except ValueError:
        return False
    return True


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    args = parser.parse_args()
    rng = random.Random(11)  # noqa: S311  # texts, not secrets
    print("| metric | oracle | cases | largest difference |\n|---|---|---|---|")
    for part in (rouge, corpora, forms):
        for name, oracle, cases, largest in part(rng, args.cases):
            print(f"| `{name}` | {oracle} | {cases:,} | {largest:.1g} |", flush=True)


if __name__ == "__main__":
    main()
