"""How long sequences are cut and like lengths put together: every token once, and little padding."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from haetae.targets.windows import Window, batches, windows


@given(st.integers(0, 200), st.integers(0, 210), st.integers(2, 40), st.data())
def test_each_token_from_the_first_on_is_scored_once_and_sees_one_before_it(
    length: int, first: int, size: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, size - 1))
    cut = list(windows(0, length, first, size, stride))
    assert [n for window in cut for n in range(window.scored, window.end)] == list(range(max(first, 1), length))
    for window in cut:
        assert 0 <= window.begin < window.scored < window.end <= length
        assert window.length <= size
        if window.begin:
            assert window.scored - window.begin >= size - stride


def test_windows_by_hand() -> None:
    assert list(windows(3, 10, 0, 6, 2)) == [Window(3, 0, 6, 1), Window(3, 2, 8, 6), Window(3, 4, 10, 8)]
    assert list(windows(0, 10, 9, 6, 2)) == [Window(0, 4, 10, 9)]
    assert list(windows(0, 1, 0, 6, 2)) == []


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 120))
def test_a_batch_holds_all_its_windows_within_the_tokens_allowed(lengths: list[int], tokens: int) -> None:
    found = [Window(n, 0, length, 1) for n, length in enumerate(lengths)]
    made = list(batches(found, tokens))
    assert sorted((window for group in made for window in group), key=lambda window: window.of) == found
    for group in made:
        longest = max(window.length for window in group)
        assert group[0].length == longest
        assert len(group) == 1 or longest * len(group) <= tokens
