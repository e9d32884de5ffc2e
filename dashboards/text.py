"""Text from outside (questions, answers, explanations): always shown as it is, never as markup."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from haetae import Score

SHOWN = 20_000
"""Characters of one text that a page shows; the whole is a download."""
PASSAGES = 20
"""Passages of one sample that a page shows."""


def show(label: str, text: str, file: str) -> None:
    """A text under a label, cut where it is long, with the whole of it as a download."""
    st.caption(label)
    st.code(text[:SHOWN] or "(empty)", language=None, wrap_lines=True)
    if len(text) > SHOWN:
        st.caption(f"The first {SHOWN:,} of {len(text):,} characters.")
        st.download_button(
            "Download the whole text", lambda: text.encode(), file, "text/plain; charset=utf-8", on_click="ignore"
        )


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
