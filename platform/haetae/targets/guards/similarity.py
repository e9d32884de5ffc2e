"""Nearness to example texts as a stage of a guard: what was an attack once is likely to be one again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from haetae.core import reasons
from haetae.core.canonical import Json, digest
from haetae.core.generation import Failure
from haetae.core.guard import Check, verdict_of
from haetae.core.model import Embeddings, LanguageModel
from haetae.core.normal_form import normal_form

_AT_ONCE = 256
"""Example texts in one request."""


class Similarity:
    """The score is the largest cosine of the text with an example, both in NFC.

    The examples are embedded once a run, before the first text; that price is the run's, not a text's. As good as
    the embedding model is in the languages at hand: Korean needs a multilingual one.
    """

    free = False
    reusable = True

    def __init__(
        self, examples: Sequence[str], model: LanguageModel, block_from: float, pass_below: float | None
    ) -> None:
        self._examples = [normal_form("NFC", example) for example in examples]
        self._model = model
        self._block_from = block_from
        self._pass_below = pass_below
        self._lock = asyncio.Lock()
        self._vectors: NDArray[np.float64] | None = None

    @property
    def deterministic(self) -> bool:
        """The model's."""
        return self._model.deterministic

    @property
    def fingerprint(self) -> Mapping[str, Json]:
        """The examples by content, the model, and the thresholds."""
        return {
            "kind": "similarity",
            "examples": digest(self._examples),
            "model": dict(self._model.fingerprint),
            "block_from": self._block_from,
            "pass_below": self._pass_below,
        }

    async def check(self, text: str) -> Check | Failure:
        """One embedding, compared with all examples."""
        async with self._lock:
            examples = self._vectors if self._vectors is not None else await self._embedded()
        if isinstance(examples, Failure):
            return examples
        found = await self._model.embed([normal_form("NFC", text)])
        if isinstance(found, Failure):
            return found
        asked = _units(found)
        if isinstance(asked, Failure):
            return asked
        if asked.shape[1] != examples.shape[1]:
            return _malformed(f"{asked.shape[1]} numbers for a text, {examples.shape[1]} for an example")
        score = float(np.max(examples @ asked[0]))
        return Check(verdict_of(score, self._block_from, self._pass_below), score, found.cost_usd, found.usage)

    async def _embedded(self) -> NDArray[np.float64] | Failure:
        """The examples' unit vectors, kept for the run."""
        rows = []
        for start in range(0, len(self._examples), _AT_ONCE):
            found = await self._model.embed(self._examples[start : start + _AT_ONCE])
            units = found if isinstance(found, Failure) else _units(found)
            if isinstance(units, Failure):
                return units
            rows.append(units)
        self._vectors = np.concatenate(rows)
        return self._vectors


def _units(found: Embeddings) -> NDArray[np.float64] | Failure:
    """The vectors at length 1; a Failure for one without a direction."""
    vectors = np.asarray(found.vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and lengths.all()):
        return _malformed("the embeddings hold a vector that is zero or not finite")
    return np.asarray(vectors / lengths)


def _malformed(why: str) -> Failure:
    return Failure(reasons.MALFORMED, why)
