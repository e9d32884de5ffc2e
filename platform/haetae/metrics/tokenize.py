"""Tokenizers: how a text becomes the units that overlap metrics count.

    unicode     words of every script, punctuation dropped; Han, kana, Thai, Lao, Khmer, Burmese and
                Tibetan by character with its marks; an emoji is one token; Korean is cut at spaces and
                where Hangul meets another script. On English it cuts exactly as `ascii`.
    ascii       runs of a-z and 0-9, as the rouge-score package cuts; it drops every other script
    korean      morphemes by kiwipiepy without punctuation (extra: korean)
    squad       words after SQuAD's normalisation: no punctuation, no a, an, the
    characters  every character but spaces, as KorQuAD counts
    auto        korean where Hangul writes the reference and kiwipiepy is installed, else unicode

All bring the text to NFC and lower case first. A text that is not blank always has a token: where a
tokenizer finds none (only punctuation) its characters are the tokens. `ascii` alone has no such net,
so that its numbers stay those of rouge-score; a reference in which it finds nothing is refused.
"""

from __future__ import annotations

import importlib.util
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import regex  # type: ignore[import-untyped]  # ships no types

from haetae.errors import MissingExtra
from haetae.metrics.choices import one_of
from haetae.metrics.text import UNSPACED, nfc, script_of

Cut = Callable[[str], tuple[str, ...]]

_ASCII = re.compile(r"[a-z0-9]+")
_BY_CHARACTER = rf"\p{{Han}}\p{{Hiragana}}\p{{Katakana}}ー{UNSPACED}"
_UNICODE = regex.compile(
    rf"[{_BY_CHARACTER}]\p{{M}}*"
    r"|\p{Hangul}[\p{Hangul}\p{M}]*"
    rf"|[[\p{{L}}\p{{N}}]--[{_BY_CHARACTER}\p{{Hangul}}]][[\p{{L}}\p{{N}}\p{{M}}]--[{_BY_CHARACTER}\p{{Hangul}}]]*"
    r"|(?=[\p{Extended_Pictographic}\p{Regional_Indicator}])\X",
    regex.V1,
)
_ARTICLE = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """A way of cutting, and the `signature` that fixes it.

    `pick` takes a reference and gives the cut for it and for all that is compared with it.
    """

    signature: str
    pick: Callable[[str], Cut]


def tokenizer(name: str, metric: str) -> Tokenizer:
    """The tokenizer of a name, for a metric.

    Raises ConfigError for an unknown name and MissingExtra where kiwipiepy is needed and absent.
    """
    one_of(metric, "tokenizer", name, (*_CUTS, "korean", "auto"))
    if name == "auto":
        return _auto()
    if name == "korean":
        return Tokenizer(*_korean())
    cut = _CUTS[name]
    return Tokenizer(f"{name}/1", lambda _: cut)


def squad_normalise(text: str) -> str:
    """Lower case, without ASCII punctuation and English articles, blanks made single.

    Source: `normalize_answer` of the SQuAD 1.1 evaluation script (Rajpurkar et al. 2016), after NFC.
    """
    return " ".join(_ARTICLE.sub(" ", nfc(text).lower().translate(_PUNCTUATION)).split())


def _characters(text: str) -> tuple[str, ...]:
    return tuple("".join(nfc(text).lower().split()))


def _unicode(text: str) -> tuple[str, ...]:
    if text.isascii():  # the same tokens, several times faster
        return tuple(_ASCII.findall(text.lower())) or _characters(text)
    return tuple(_UNICODE.findall(nfc(nfc(text).lower()))) or _characters(text)


def _ascii(text: str) -> tuple[str, ...]:
    return tuple(_ASCII.findall(nfc(text).lower()))


def _squad(text: str) -> tuple[str, ...]:
    return tuple(squad_normalise(text).split()) or _characters(text)


_CUTS: dict[str, Cut] = {"unicode": _unicode, "ascii": _ascii, "squad": _squad, "characters": _characters}


def _korean_installed() -> bool:
    return importlib.util.find_spec("kiwipiepy") is not None


@lru_cache(maxsize=1)
def _kiwi() -> Callable[[str], tuple[str, ...]]:
    from haetae.metrics.korean import Morphemes  # its dictionary takes a second to load

    return Morphemes()


def _cut_korean(text: str) -> tuple[str, ...]:
    lowered = nfc(text).lower()
    return _kiwi()(lowered) or _characters(text)


def _korean() -> tuple[str, Callable[[str], Cut]]:
    if not _korean_installed():
        raise MissingExtra("kiwipiepy", "korean")
    from importlib.metadata import version

    return f"korean/1 kiwipiepy {version('kiwipiepy')}", lambda _: _cut_korean


def _auto() -> Tokenizer:
    if not _korean_installed():
        return Tokenizer("auto(all=unicode/1)", lambda _: _unicode)
    signature, _ = _korean()
    return Tokenizer(
        f"auto(hangul={signature}, other=unicode/1)",
        lambda reference: _cut_korean if script_of(nfc(reference)) == "hangul" else _unicode,
    )
