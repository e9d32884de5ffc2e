"""How it looks: one word, one sign and one colour per verdict, and how text from outside is made plain."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import streamlit as st

from haetae import MetricFacts, Run, RunStatus, Verdict
from haetae.dashboards.style import CSS

FONT = (
    '-apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans KR", "Noto Sans CJK KR", '
    '"Apple SD Gothic Neo", "Malgun Gothic", sans-serif'
)
INK, QUIET, LINE, ACCENT = "#1b2530", "#5b6673", "#e2e6eb", "#175e63"


@dataclass(frozen=True, slots=True)
class Look:
    """A verdict for the eye: never the colour alone. `mark` and `shape` are its point in charts."""

    word: str
    sign: str
    mark: str
    shape: str
    colour: str
    tint: str


LOOKS = {
    Verdict.PASS: Look("Pass", "✓", "●", "circle", "#1a7f4b", "#e9f5ee"),
    Verdict.REGRESSION: Look("Regression", "✕", "▼", "triangle-down", "#b8322a", "#fbecea"),
    Verdict.INCONCLUSIVE: Look("Inconclusive", "?", "◆", "diamond", "#a8690a", "#fbf3e3"),
    Verdict.NO_VERDICT: Look("No verdict", "–", "■", "square", "#66707c", "#eff1f4"),
}
UNSAID = Look("Not compared", "·", "✚", "cross", "#8b95a1", "#f5f6f8")
"""A run that was compared with nothing: its suite has no gate, or it did not finish."""

GRAVITY = (
    *(LOOKS[v] for v in (Verdict.REGRESSION, Verdict.NO_VERDICT, Verdict.INCONCLUSIVE)),
    UNSAID,
    LOOKS[Verdict.PASS],
)
"""What needs a person's eye first."""

LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 124 32" width="124" height="32">'
    f'<rect x="0" y="1" width="30" height="30" rx="8" fill="{ACCENT}"/>'
    '<path d="M8 20.5h14M15 9v14M10 12.5h10M8 12.5l-2.4 5.2a3 3 0 0 0 4.8 0zM22 12.5l-2.4 5.2a3 3 0 0 0 4.8 0z" '
    'fill="none" stroke="#fff" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round"/>'
    f'<text x="40" y="22" font-family="Segoe UI, Noto Sans, sans-serif" font-size="19" font-weight="650" '
    f'fill="{INK}">Haetae</text></svg>'
)
ICON = LOGO.partition("<text")[0].replace("0 0 124 32", "0 0 30 32").replace('width="124"', 'width="30"') + "</svg>"


def dress() -> None:
    """The styles that the theme has no setting for."""
    st.html(f"<style>{CSS}</style>")


def look_of(verdict: Verdict | None) -> Look:
    """How a verdict looks; None is a run that was not compared."""
    return UNSAID if verdict is None else LOOKS[verdict]


def plain(text: str) -> str:
    """Text from outside for a label: no character of it is Markdown, and it stays on one line."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))


def verdict_line(verdict: Verdict | None, reason: str = "", *, big: bool = False) -> None:
    """A verdict as a word with its sign and colour, and the sentence that says why."""
    look = look_of(verdict)
    said = f'<p class="why">{html.escape(reason)}</p>' if reason else ""
    st.html(
        f'<div class="verdict{" big" if big else ""}" style="--hue:{look.colour};--tint:{look.tint}" role="status">'
        f'<span class="word"><span class="sign" aria-hidden="true">{look.sign}</span>{look.word}</span>{said}</div>'
    )


def heading(name: str, value: str) -> None:
    """The name of a chart and its newest number."""
    st.html(f'<div class="heading"><b>{html.escape(name)}</b><span>{html.escape(value)}</span></div>')


def pills(label: str, texts: Iterable[str]) -> None:
    """A short list of words after a label."""
    shown = "".join(f'<span class="pill">{html.escape(text)}</span>' for text in texts)
    if shown:
        st.html(f'<div class="pills"><span class="key">{html.escape(label)}</span>{shown}</div>')


def facts(rows: Iterable[tuple[str, str]]) -> None:
    """Names and values in a quiet grid."""
    cells = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in rows)
    st.html(f'<dl class="facts">{cells}</dl>')


def tally(verdicts: Sequence[Verdict | None]) -> None:
    """How many suites stand how, gravest first."""
    looks = [(look, sum(verdict is known for verdict in verdicts)) for known, look in (*LOOKS.items(), (None, UNSAID))]
    looks.sort(key=lambda pair: GRAVITY.index(pair[0]))
    cells = "".join(
        f'<span class="count" style="--hue:{look.colour};--tint:{look.tint}"><b>{count}</b>'
        f'<i aria-hidden="true">{look.sign}</i>{look.word.lower()}</span>'
        for look, count in looks
        if count
    )
    st.html(f'<div class="tally">{cells}</div>')


def legend() -> None:
    """What the points of a trend mean."""
    cells = (
        f'<span style="color:{look.colour}">{look.mark}</span>{look.word.lower()}' for look in (*LOOKS.values(), UNSAID)
    )
    band = '<i class="band"></i>95 % interval<i class="rule"></i>baseline run'
    st.html(f'<div class="legend">{"".join(f"<span>{cell}</span>" for cell in cells)}<span>{band}</span></div>')


def empty(title: str, why: str, *commands: str) -> None:
    """An empty state: what is missing, and the command to run next."""
    with st.container(border=True, key="empty"):
        st.subheader(plain(title), anchor=False)
        st.text(why)
        for command in commands:
            st.code(command, language="bash")


def number(value: float | None) -> str:
    """A number of four digits for people; none is a dash."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def between(low: float | None, high: float | None) -> str:
    """An interval."""
    return "–" if low is None or high is None else f"{number(low)} to {number(high)}"


def chance(p: float | None) -> str:
    """A p value; never 0."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def is_bounded(metric: MetricFacts) -> bool:
    """Whether a metric has both ends, so that its values can be shown in points of 100."""
    return metric.low is not None and metric.high is not None


def points(amount: float, metric: MetricFacts) -> float:
    """An amount of a metric's own unit in points of 100 of its scale; as it is where the scale is open."""
    if metric.low is None or metric.high is None:
        return amount
    return 100 * amount / (metric.high - metric.low)


def moment(at: datetime, zone: str) -> str:
    """A time in a zone, with the zone's name."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M %Z}"


def age(at: datetime, now: datetime) -> str:
    """How long ago, in words."""
    seconds = max(0, int((now - at).total_seconds()))
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


def standing(run: Run, done: int) -> str:
    """Where a run stands: `finished`, or how far it came."""
    return "finished" if run.status is RunStatus.FINISHED else f"partial {done:,}/{run.total:,} ({run.status.value})"
