"""A search in three stages over passages in two languages, as an application would have it: no model, no network.

1. `search`: every passage is a vector (counts of letter n-grams, weighted by rarity, projected on 256 random
   directions), and an IVF index of faiss, four of its eight cells looked into, gives the 20 nearest. `exact` is the
   same search over all cells, kept beside it to see what the index loses.
2. `rerank`: question and passage are read together: BM25 over the n-grams, exact, of the 20 that were found.
3. `select`: the first five; the answer is the sentence of the first that shares most with the question.

The passages lie beside this file, in passages.jsonl: {"id", "text"}.
"""

from __future__ import annotations

import json
import math
import re
import time
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import faiss
import numpy as np

FOUND, SELECTED, DIRECTIONS, CELLS, PROBES, SEED = 20, 5, 256, 8, 4, 20_260_101


def grams(text: str) -> Counter[str]:
    """The words of a text, and their letters by two and three: Korean words change their ends."""
    words = re.findall(r"\w+", unicodedata.normalize("NFC", text).lower())
    parts = Counter(words)
    for word in words:
        for size in (2, 3):
            parts.update(word[start : start + size] for start in range(len(word) - size + 1))
    return parts


class Index:
    """The passages, their vectors, and the two indexes over them."""

    def __init__(self, passages: list[dict[str, str]]) -> None:
        self.ids = [passage["id"] for passage in passages]
        self.texts = [passage["text"] for passage in passages]
        self.counts = [grams(text) for text in self.texts]
        self.sizes = [counts.total() for counts in self.counts]
        seen = Counter(gram for counts in self.counts for gram in counts)
        self.places = {gram: place for place, gram in enumerate(sorted(seen))}
        self.rarity = {gram: math.log(1 + (len(self.ids) - n + 0.5) / (n + 0.5)) for gram, n in seen.items()}
        rng = np.random.default_rng(SEED)
        self.directions = rng.standard_normal((len(self.places), DIRECTIONS)) / math.sqrt(DIRECTIONS)
        vectors = np.stack([self.vector(counts) for counts in self.counts])
        faiss.omp_set_num_threads(1)
        self.exact = faiss.IndexFlatIP(DIRECTIONS)
        self.exact.add(vectors)
        self.cells = faiss.IndexIVFFlat(faiss.IndexFlatIP(DIRECTIONS), DIRECTIONS, CELLS, faiss.METRIC_INNER_PRODUCT)
        self.cells.cp.min_points_per_centroid = 1
        self.cells.nprobe = PROBES
        self.cells.train(vectors)
        self.cells.add(vectors)

    def vector(self, counts: Counter[str]) -> Any:
        """A unit vector in single precision, as indexes hold them."""
        raw = np.zeros(DIRECTIONS)
        for gram, n in counts.items():
            if gram in self.places:
                raw += (1 + math.log(n)) * self.rarity[gram] * self.directions[self.places[gram]]
        return (raw / (np.linalg.norm(raw) or 1.0)).astype("float32")

    def nearest(self, index: Any, counts: Counter[str]) -> list[int]:
        """The places of the nearest passages, best first."""
        return [int(place) for place in index.search(self.vector(counts)[None], FOUND)[1][0] if place >= 0]

    def bm25(self, counts: Counter[str], place: int) -> float:
        """Robertson's score of a passage for a question, k1 = 1.2 and b = 0.75."""
        size = 0.25 + 0.75 * self.sizes[place] * len(self.sizes) / sum(self.sizes)
        found = ((self.rarity[gram], self.counts[place][gram]) for gram in counts if gram in self.counts[place])
        return sum(rarity * n * 2.2 / (n + 1.2 * size) for rarity, n in found)


@cache
def index() -> Index:
    """Built once, from the file beside this one."""
    lines = Path(__file__).with_name("passages.jsonl").read_text("utf-8").splitlines()
    return Index([json.loads(line) for line in lines])


def answer(question: str) -> dict[str, Any]:
    """What a suite's function target is asked for: an answer, its contexts, and what every stage gave."""
    built, counts, marks = index(), grams(question), [time.perf_counter()]

    def lap() -> float:
        marks.append(time.perf_counter())
        return marks[-1] - marks[-2]

    found, search_s = built.nearest(built.cells, counts), lap()
    exact, exact_s = built.nearest(built.exact, counts), lap()
    ranked, rerank_s = sorted(found, key=lambda place: -built.bm25(counts, place)), lap()
    chosen = ranked[:SELECTED]
    sentences = re.split(r"(?<=[.!?])\s+", built.texts[chosen[0]])
    best = max(sentences, key=lambda sentence: (grams(sentence) & counts).total())
    ids = [[built.ids[place] for place in places] for places in (exact, found, ranked, chosen)]
    laps = (exact_s, search_s, rerank_s, lap())
    names = ("exact", "search", "rerank", "select")
    return {
        "output": best,
        "contexts": [built.texts[place] for place in chosen],
        "stages": [
            {"name": name, "retrieved": retrieved, "latency_s": took}
            for name, retrieved, took in zip(names, ids, laps, strict=True)
        ],
    }
