"""The hashed embedder: words and character n-grams hashed into 256 signed buckets.

The hashing trick of Weinberger et al. (2009) with the subwords of fastText (Bojanowski et al., 2017).
Texts that share letters are near one another, whatever the language; meaning plays no part.
"""

from __future__ import annotations

import base64
import re
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from haetae.demo.text import features

DIMENSIONS = 256
_WORD = re.compile(r"\w+")
_STEM_WEIGHT = 2.0


@lru_cache(maxsize=4096)
def _counts(text: str) -> NDArray[np.float32]:
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    grams: list[str] = []
    for word in _WORD.findall(text.lower()):
        marked = f"<{word}>"
        for size in (2, 3, 4):
            grams += [marked[i : i + size] for i in range(len(marked) - size + 1)]
    hashes = np.array([zlib.crc32(gram.encode()) for gram in grams], dtype=np.int64)
    np.add.at(vector, hashes % DIMENSIONS, np.where(hashes >> 31, 1.0, -1.0))
    for stem in sorted(features(text)):
        code = zlib.crc32(b"word:" + stem.encode())
        vector[code % DIMENSIONS] += _STEM_WEIGHT if code >> 31 else -_STEM_WEIGHT
    return vector


def embed(text: str) -> NDArray[np.float32]:
    """A vector of 256 numbers with Euclidean length 1 (all 0 for a text without letters or digits)."""
    vector = _counts(text)
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector


def encode(vector: NDArray[np.float32], form: str) -> list[float] | str:
    """The vector on the wire: a list of numbers (`float`), or base64 of little-endian float32 (`base64`)."""
    if form == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
    return [float(number) for number in vector]
