"""Tokenizers: how a text becomes the units that overlap metrics count.

    unicode     words of every script, punctuation dropped; Han, kana, Thai, Lao, Khmer, Burmese and
                Tibetan by character with its marks; an emoji is one token; Korean is cut at spaces and
                where Hangul meets another script. On English it cuts exactly as `ascii`.
    ascii       runs of a-z and 0-9, as the rouge-score package cuts; it drops every other script
    korean      morphemes by kiwipiepy without punctuation (extra: korean)
    korean_content  those that carry meaning: without particles, endings, suffixes and the copula too, so
                that two sentences about different things share little
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
from collections.abc import Callable
from dataclasses import dataclass

import regex  # type: ignore[import-untyped]  # ships no types

from haetae.errors import MissingExtra
from haetae.metrics.choices import one_of
from haetae.metrics.reference.normalise import squad_normalise
from haetae.metrics.text import CLUSTER, UNSPACED, nfc, script_of

Cut = Callable[[str], tuple[str, ...]]

_ASCII = re.compile(r"[a-z0-9]+")
_BY_CHARACTER = rf"\p{{Han}}\p{{Hiragana}}\p{{Katakana}}ー{UNSPACED}"
_UNICODE = regex.compile(
    rf"[{_BY_CHARACTER}]\p{{M}}*"
    r"|\p{Hangul}[\p{Hangul}\p{M}]*"
    rf"|[[\p{{L}}\p{{N}}]--[{_BY_CHARACTER}\p{{Hangul}}]][[\p{{L}}\p{{N}}\p{{M}}]--[{_BY_CHARACTER}\p{{Hangul}}]]*"
    rf"|(?=[\p{{Extended_Pictographic}}\p{{Regional_Indicator}}]){CLUSTER}",
    regex.V1,
)


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """A way of cutting, and the `signature` that fixes it.

    `pick` takes a reference and gives the cut for it and for all that is compared with it.
    """

    signature: str
    pick: Callable[[str], Cut]


def tokenizer(name: str, metric: str) -> Tokenizer:
    """The tokenizer of a name, for a metric, with all that it needs loaded.

    Raises ConfigError for an unknown name and MissingExtra where kiwipiepy is needed and absent.
    """
    one_of(metric, "tokenizer", name, (*_CUTS, *_KOREAN, "auto"))
    if name == "auto":
        return _auto()
    if name in _KOREAN:
        return _korean(name)
    cut = _CUTS[name]
    return Tokenizer(f"{name}/1", lambda _: cut)


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


def _cut_korean(text: str) -> tuple[str, ...]:
    from haetae.metrics.reference.korean import morphemes

    return morphemes(nfc(text).lower()) or _characters(text)


def _cut_korean_content(text: str) -> tuple[str, ...]:
    from haetae.metrics.reference.korean import content_morphemes

    return content_morphemes(nfc(text).lower()) or _characters(text)


_KOREAN: dict[str, Cut] = {"korean": _cut_korean, "korean_content": _cut_korean_content}


def _korean(name: str) -> Tokenizer:
    if not _korean_installed():
        raise MissingExtra("kiwipiepy", "korean")
    from importlib.metadata import version

    from haetae.metrics.reference.korean import load

    load()
    cut = _KOREAN[name]
    return Tokenizer(f"{name}/1 kiwipiepy {version('kiwipiepy')}", lambda _: cut)


def _auto() -> Tokenizer:
    if not _korean_installed():
        return Tokenizer("auto(all=unicode/1)", lambda _: _unicode)
    return Tokenizer(
        f"auto(hangul={_korean('korean').signature}, other=unicode/1)",
        lambda reference: _cut_korean if script_of(nfc(reference)) == "hangul" else _unicode,
    )
