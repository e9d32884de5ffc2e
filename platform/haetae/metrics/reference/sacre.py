"""What the three metrics over sacrebleu share: its signature, its tokenizers and the picking of one."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping

from sacrebleu.metrics.base import Metric as SacreMetric
from sacrebleu.tokenizers.tokenizer_base import BaseTokenizer

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.choices import one_of
from haetae.metrics.text import EMPTY_OUTPUT, Script, nfc, no_reference, pieces, references, settle

TOKENIZERS = ("auto", "13a", "intl", "zh", "char", "none", "ja-mecab", "ko-mecab")
"""sacrebleu's names, without those that download a model at first use (flores, spm)."""

_PACKAGES = {"ja-mecab": ("MeCab", "ja"), "ko-mecab": ("mecab_ko", "ko")}

CACHED_REFERENCES = 256
"""References whose n-grams are kept; those of chrF take about 60 kB each."""


def check_tokenizer(metric: str, name: str) -> str:
    """The name if sacrebleu can use it here. Raises ConfigError, with the pip command where a package lacks."""
    one_of(metric, "tokenizer", name, TOKENIZERS)
    if name in _PACKAGES and not _installed(name):
        raise ConfigError(f"{metric}: {name} needs a package; run: pip install 'sacrebleu[{_PACKAGES[name][1]}]'")
    return name


def by_script() -> Mapping[Script, str]:
    """The tokenizer that `auto` uses for each script: MeCab where it is installed, else characters."""
    return {
        "hangul": "ko-mecab" if _installed("ko-mecab") else "char",
        "kana": "ja-mecab" if _installed("ja-mecab") else "char",
        "han": "zh",
        "unspaced": "char",
        "other": "13a",
    }


def _installed(name: str) -> bool:
    return importlib.util.find_spec(_PACKAGES[name][0]) is not None


def signature(metric: SacreMetric) -> str:
    """sacrebleu's own signature. Samples may have different numbers of references: `nrefs:var`."""
    metric.num_refs = -1
    return str(metric.get_signature())


def plain_tokenizer(tokenizer: BaseTokenizer) -> Callable[[str], str]:
    """sacrebleu's tokenizer without its memory, which keeps 65,536 texts however long they are.

    MeCab reads a text of more than 20,000 characters in pieces.
    """
    inner = getattr(tokenizer, "_post_tokenizer", None)
    if inner is not None:
        tokenizer._post_tokenizer = plain_tokenizer(inner)  # type: ignore[attr-defined]  # 13a and zh have one
    plain = getattr(type(tokenizer).__call__, "__wrapped__", type(tokenizer).__call__)
    if "mecab" in type(tokenizer).__module__:
        return lambda line: " ".join(plain(tokenizer, piece) for piece in pieces(line))
    return lambda line: plain(tokenizer, line)


class SacreScore(ABC):
    """Scores a sample from its sufficient statistics; the metrics add these and a value."""

    facts: MetricFacts

    @abstractmethod
    def statistics(self, output: str, given: tuple[str, ...]) -> list[float]:
        """What the corpus value is computed from, for one sample: sums over samples are meaningful."""

    @abstractmethod
    def sentence(self, statistics: list[float]) -> float:
        """The value of one sample, 0 to 100."""

    def too_long(self, output: str, given: tuple[str, ...]) -> str | None:
        """Why these texts are not compared, None where they are."""
        return None

    def score(self, sample: Sample, generation: Generation) -> Score | Awaitable[Score]:
        given = references(sample)
        if not given:
            return no_reference()
        if why := self.too_long(generation.output, given):
            return Score.unscored(reasons.TEXT_TOO_LONG, why)
        statistics = self.statistics(nfc(generation.output), given)
        return Score(
            settle(self.sentence(statistics), 0.0, 100.0),
            stats=tuple(float(number) for number in statistics),
            explanation=None if generation.output.strip() else EMPTY_OUTPUT,
        )
