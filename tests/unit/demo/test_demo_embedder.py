"""The hashed embedder."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haetae.demo.embedder import DIMENSIONS, embed, encode


@given(st.text(max_size=60))
def test_a_vector_has_length_one_or_is_zero_where_there_is_nothing_to_hash(text: str) -> None:
    length = float(np.linalg.norm(embed(text)))
    assert length == pytest.approx(1.0, abs=1e-5) or length == 0.0
    assert embed(text).shape == (DIMENSIONS,)


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("When does a token expire?", "Tokens expire after 90 days.", "The cat sat on the mat."),
        ("환불은 언제까지 되나요?", "환불은 7일 안에 됩니다.", "비밀번호를 바꿔 주세요."),
    ],
)
def test_shared_letters_bring_texts_near_in_either_language(text: str, near: str, far: str) -> None:
    assert embed(text) @ embed(near) > embed(text) @ embed(far) + 0.15


def test_both_encodings_hold_the_same_numbers() -> None:
    vector = embed("배송 token")
    raw = encode(vector, "base64")
    assert isinstance(raw, str)
    assert np.frombuffer(base64.b64decode(raw), dtype="<f4").tolist() == encode(vector, "float")


def test_the_hash_is_the_same_on_every_machine_and_in_every_process() -> None:
    # crc32, not hash(): a vector that moved would make stored runs incomparable
    vector = embed("a token")
    found = {int(place): round(float(vector[place]), 4) for place in np.flatnonzero(vector)}
    assert found == {
        20: 0.4264,
        37: -0.2132,
        38: 0.2132,
        49: 0.2132,
        53: 0.2132,
        66: 0.2132,
        68: 0.2132,
        71: -0.2132,
        87: 0.2132,
        91: 0.2132,
        110: -0.2132,
        113: -0.2132,
        125: -0.2132,
        171: -0.2132,
        178: 0.2132,
        180: -0.2132,
        196: 0.2132,
        206: -0.2132,
        221: -0.2132,
    }
