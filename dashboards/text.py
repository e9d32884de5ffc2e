"""Text from outside (questions, answers, explanations): always shown as it is, never as markup."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from haetae import Score

if TYPE_CHECKING:
    from haetae.core.sample import Message

SHOWN = 20_000
"""Characters of one text that a page shows; the whole is a download."""
PASSAGES = 20
"""Passages of one sample that a page shows."""
TURNS = 50
"""Turns of one dialogue that a page shows."""


def show(label: str, text: str, file: str) -> None:
    """A text under a label, cut where it is long, with the whole of it as a download."""
    st.caption(label)
    st.code(text[:SHOWN] or "(empty)", language=None, wrap_lines=True)
    if len(text) > SHOWN:
        st.caption(f"The first {SHOWN:,} of {len(text):,} characters.")
        st.download_button(
            "Download the whole text", lambda: text.encode(), file, "text/plain; charset=utf-8", on_click="ignore"
        )


def show_turns(label: str, turns: Sequence[Message]) -> None:
    """A dialogue in one fold, turn by turn."""
    if not turns:
        return
    with st.expander(f"{label} ({len(turns)} turns)"):
        for number, turn in enumerate(turns[:TURNS], 1):
            st.caption(f"{number} {turn.role}")
            st.code(said(turn)[:SHOWN] or "(empty)", language=None, wrap_lines=True)
        if len(turns) > TURNS:
            st.caption(f"The first {TURNS} of {len(turns)}.")


def said(turn: Message) -> str:
    """What a turn says, the calls it makes, and of its pictures the path and the hash: a page opens none."""
    calls = [f"calls {call.name} {json.dumps(dict(call.arguments), ensure_ascii=False)}" for call in turn.tool_calls]
    pictures = [f"picture {image.path} ({image.media_type}, SHA-256 {image.sha256})" for image in turn.images]
    return "\n".join([*([turn.content] if turn.content else []), *calls, *pictures])


def show_scores(scores: Sequence[tuple[str, Score]], alt: str) -> None:
    """What each metric says of one answer."""
    rows = [{"metric": name, "score": score.value, "unscored": score.reason} for name, score in scores]
    if not any(row["unscored"] for row in rows):
        rows = [{"metric": row["metric"], "score": row["score"]} for row in rows]
    scale = {"score": st.column_config.NumberColumn(format="%.4g")}
    st.dataframe(rows, hide_index=True, alt=alt, column_config=scale)


def show_passages(label: str, passages: tuple[str, ...] | None) -> None:
    """Passages in one fold, as they are."""
    if not passages:
        return
    with st.expander(f"{label} ({len(passages)})"):
        for passage in passages[:PASSAGES]:
            st.code(passage[:SHOWN], language=None, wrap_lines=True)
        if len(passages) > PASSAGES:
            st.caption(f"The first {PASSAGES} of {len(passages)}.")
