"""How near texts are by an embedding model, in the languages that the model can compare.

A model for English gives all Korean sentences nearly the same vector, so that any answer looks
relevant. Which languages a model can compare is not in its name: it is asked, once, to embed three
questions in two wordings each, in English and in every script that is looked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from haetae.core import reasons
from haetae.core.model import LanguageModel
from haetae.metrics.judges.asking import Interview, UnansweredError
from haetae.metrics.text import Script, nfc, script_of

WORDINGS: Mapping[Script, tuple[str, ...]] = {
    "other": (
        "How do I change my password?",
        "Tell me the way to change the password.",
        "Will it rain in Seoul tomorrow?",
        "Does it rain tomorrow in Seoul?",
        "How often a day do I take this medicine?",
        "How many times a day is this medicine taken?",
    ),
    "hangul": (
        "비밀번호를 어떻게 바꾸나요?",
        "비밀번호 바꾸는 법을 알려 주세요.",
        "서울은 내일 비가 올까요?",
        "내일 서울에는 비가 올까요?",
        "이 약은 하루에 몇 번 먹나요?",
        "하루에 이 약을 몇 번 먹으면 될까요?",
    ),
    "kana": (
        "暗証番号はどうやって変えますか？",
        "パスワードの変え方を教えてください。",
        "明日、ソウルは雨ですか？",
        "ソウルでは明日、雨が降る？",
        "この薬は一日に何回飲みますか？",
        "毎日何度この薬を服用しますか？",
    ),
    "han": (
        "怎么修改密码？",
        "请告诉我修改密码的方法。",
        "明天首尔下雨吗？",
        "首尔明天会下雨吗？",
        "这个药每天服用多少次？",
        "这种药一天吃几次？",
    ),
    "unspaced": (
        "เปลี่ยนรหัสผ่านอย่างไร",
        "ขอวิธีเปลี่ยนรหัสผ่าน",
        "พรุ่งนี้โซลฝนตกไหม",
        "ที่โซลพรุ่งนี้จะมีฝนไหม",
        "ยานี้กินวันละกี่ครั้ง",
        "ต้องกินยาวันละกี่ครั้ง",
    ),
}
"""Three questions in two wordings each, one after the other; thirty texts, which endpoints take in one call."""

_MEANING = np.repeat(np.arange(3), 2)
_CLEARLY = 0.05
"""How much nearer the least alike wordings of one question must be than the most alike other questions.

Measured: English-only all-MiniLM-L6-v2 reaches at most 0.00 in any script but its own, the multilingual
Universal Sentence Encoder 3 at least 0.22.
"""
_NAMES: Mapping[Script, str] = {
    "other": "English",
    "hangul": "Korean",
    "kana": "Japanese",
    "han": "Chinese",
    "unspaced": "Thai",
}


class Nearness:
    """Cosines by an embedding model, and whether it can compare two texts at all.

    Where one of two texts is written in Hangul, kana, Han or an unspaced script, the model must put the
    wordings of one question clearly nearer to one another than to any other question, in that script, or
    across the two where the texts differ. Two texts in other scripts are always compared.
    """

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._once = asyncio.Lock()
        self._wordings: dict[Script, NDArray[np.float64]] = {}

    async def admit(self, interview: Interview, left: str, right: str) -> None:
        """Raises UnansweredError where the model cannot compare the two; asks it at the first such question."""
        one, other = _scripts(left, right)
        if one == other == "other":
            return
        async with self._once:
            if not self._wordings:
                texts = [text for wordings in WORDINGS.values() for text in wordings]
                vectors = np.asarray(await interview.embed(self._model, texts), dtype=np.float64)
                self._wordings = dict(zip(WORDINGS, np.split(_units(vectors), len(WORDINGS)), strict=True))
        alike, unlike = extremes(self._wordings[one], self._wordings[other], same_script=one == other)
        if not alike - unlike >= _CLEARLY:
            languages = " and ".join(dict.fromkeys((_NAMES[one], _NAMES[other])))
            raise UnansweredError(
                reasons.UNSUPPORTED_LANGUAGE,
                f"the embedding model {self._name} cannot compare texts in {languages}: two wordings of one question "
                f"have a cosine of {alike:.2f}, two different questions one of {unlike:.2f}; "
                "name a multilingual model with embeddings:",
            )

    async def cosines(self, interview: Interview, text: str, others: Sequence[str]) -> NDArray[np.float64]:
        """The cosine of the text with each other one, those below 0 as 0; NaN for a vector of zeros."""
        vectors = await interview.embed(self._model, [nfc(text), *map(nfc, others)])
        asked, *rest = _units(np.asarray(vectors, dtype=np.float64))
        with np.errstate(invalid="ignore"):
            found: NDArray[np.float64] = np.maximum(np.asarray(rest) @ asked, 0.0)
        return found

    @property
    def _name(self) -> str:
        fingerprint = self._model.fingerprint
        return str(fingerprint.get("model") or dict(fingerprint))


def extremes(left: NDArray[np.float64], right: NDArray[np.float64], *, same_script: bool) -> tuple[float, float]:
    """The least cosine of two wordings of one question, and the greatest of two different questions."""
    with np.errstate(invalid="ignore"):
        cosines = left @ right.T
    same = _MEANING[:, None] == _MEANING[None, :]
    alike = same & ~np.eye(len(_MEANING), dtype=bool) if same_script else same
    return float(cosines[alike].min()), float(cosines[~same].max())


def _units(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The vectors at length 1; one of zeros, or with an infinite number, has no direction and becomes NaN."""
    with np.errstate(all="ignore"):
        scaled = vectors / np.abs(vectors).max(axis=1, keepdims=True)  # so that no square overflows
        units: NDArray[np.float64] = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    return units


def _scripts(left: str, right: str) -> tuple[Script, Script]:
    """The scripts of two texts; one without letters (a number, a code of digits) goes with the other."""
    scripts = [script_of(nfc(text)) for text in (left, right) if any(map(str.isalpha, text))]
    one, other = scripts[:1] or ["other"], scripts[-1:] or ["other"]
    return one[0], other[0]
