"""The charts: a metric over its runs, estimates with their intervals, differences in a forest plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from haetae import Comparison, Difference, Estimate, MetricFacts, Verdict
from haetae.dashboards import look
from haetae.dashboards.data import SuiteView

Drawn = alt.LayerChart | alt.FacetChart
_ROW, _AXIS = 34, 56
"""Pixels of a row, and of an axis with its title."""
_NEUTRAL = "#4a5562"


def trend(view: SuiteView, metric: str, zone: str) -> Drawn | None:
    """A metric over a suite's runs with its interval, each run marked by its verdict; None without values.

    The verdict is the metric's own where it was compared, else the whole run's.
    """
    rows = [row for run in reversed(view.runs) for row in _points(view, run.id, metric, zone)]
    if not rows:
        return None
    base = _chart(rows).encode(
        x=alt.X(
            "run:Q",
            title=None,
            scale=alt.Scale(zero=False, nice=False, padding=10),
            axis=alt.Axis(tickMinStep=1, tickCount=6, labelExpr="datum.value < 1 ? '' : '#' + datum.value", grid=False),
        ),
        tooltip=[alt.Tooltip(f"{name}:N") for name in ("id", "when", "value", "interval", "n", "verdict")],
    )
    height = alt.Y("y:Q", title=None, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=4, format=".4~g"))
    band = base.mark_area(opacity=0.16, color=look.ACCENT).encode(y=alt.Y("low:Q", title=None), y2="high:Q")
    line = base.mark_line(color=look.ACCENT, strokeWidth=1.5, opacity=0.75).encode(y=height)
    marks = base.mark_point(filled=True, opacity=1).encode(
        y=height,
        shape=_by_verdict("shape"),
        color=_by_verdict("colour"),
        size=alt.Size("size:Q", scale=None),
    )
    layers = [band, line, marks]
    if view.baseline and any(row["run"] == view.baseline.number for row in rows):
        rule = _chart([{"run": view.baseline.number}]).encode(x="run:Q")
        layers.insert(0, rule.mark_rule(strokeDash=[4, 3], color=look.QUIET))
    return _calm(alt.layer(*layers).properties(height=170))


def whiskers(estimates: Sequence[Estimate], facts: Mapping[str, MetricFacts], label: str = "metric") -> Drawn | None:
    """Estimates on bounded scales as dots with their intervals, in points of 100; None without any."""
    rows = [
        {
            "label": e.metric if label == "metric" else e.slice,
            "at": _scaled(e.value, facts[e.metric]),
            "low": _scaled(e.low, facts[e.metric]),
            "high": _scaled(e.high, facts[e.metric]),
            "value": look.number(e.value),
            "interval": look.between(e.low, e.high),
            "n": e.n,
        }
        for e in estimates
        if e.value is not None and look.is_bounded(facts[e.metric])
    ]
    if not rows:
        return None
    base = _chart(rows).encode(
        y=_rows(rows),
        tooltip=[alt.Tooltip(f"{name}:N") for name in ("label", "value", "interval", "n")],
    )
    axis = alt.X(
        "at:Q",
        title="points of 100 on the metric's scale",
        scale=alt.Scale(domain=[0, 112], nice=False),  # room for the value beside a dot at 100
        axis=alt.Axis(values=list(range(0, 101, 20)), labelFlush=False),
    )
    span = base.mark_rule(strokeWidth=2.5, color=look.ACCENT, opacity=0.55).encode(x=alt.X("low:Q"), x2="high:Q")
    dot = base.mark_point(filled=True, size=90, color=look.ACCENT, opacity=1).encode(x=axis)
    text = base.mark_text(align="left", dx=9, dy=-9, color=look.QUIET, fontSize=11).encode(x=axis, text="value:N")
    return _calm(alt.layer(span, dot, text).properties(height=_ROW * len(rows) + _AXIS))


def forest(comparison: Comparison, facts: Mapping[str, MetricFacts], *, coloured: bool) -> list[tuple[str, Drawn]]:
    """Differences with their 95 % intervals, a zero line, and each row's tolerance: one chart per unit, with its title.

    Metrics on bounded scales share one chart in points of 100; every other metric has its own.
    """
    groups: dict[str, list[Difference]] = {}
    for difference in comparison.differences:
        if difference.delta is not None:
            bounded = look.is_bounded(facts[difference.metric])
            groups.setdefault("" if bounded else difference.metric, []).append(difference)
    return [
        (f"{metric}, in its own unit" if metric else "points of 100", _forest(found, facts, coloured))
        for metric, found in sorted(groups.items())
    ]


def _forest(found: Sequence[Difference], facts: Mapping[str, MetricFacts], coloured: bool) -> Drawn:
    rows = [_difference(d, facts[d.metric], coloured) for d in found]
    base = _chart(rows).encode(
        y=_rows(rows),
        tooltip=[alt.Tooltip(f"{name}:N") for name in ("label", "difference", "interval", "tolerance", "n", "verdict")],
    )
    axis = alt.X(
        "delta:Q",
        title="candidate − baseline",
        scale=alt.Scale(padding=18),
        axis=alt.Axis(tickCount=8, labelFlush=False),
    )
    zero = _chart([{"zero": 0}]).mark_rule(color=look.INK, strokeWidth=1).encode(x=alt.X("zero:Q"))
    limit = base.mark_tick(color="#8b95a1", thickness=2, size=_ROW - 10).encode(x=alt.X("limit:Q"))
    span = base.mark_rule(strokeWidth=2.5, opacity=0.7).encode(
        x=alt.X("low:Q"), x2="high:Q", color=alt.Color("hue:N", scale=None)
    )
    dot = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=axis,
        color=alt.Color("hue:N", scale=None),
        shape=_by_verdict("shape") if coloured else alt.ShapeValue("circle"),
    )
    return _calm(alt.layer(zero, limit, span, dot).properties(height=_ROW * len(rows) + _AXIS))


def _difference(d: Difference, metric: MetricFacts, coloured: bool) -> dict[str, Any]:
    toward = -1 if metric.higher_is_better else 1
    limit = None if d.margin is None else toward * look.points(d.margin, metric)
    return {
        "label": f"{d.metric} · {d.slice}" if d.slice else d.metric,
        "delta": None if d.delta is None else look.points(d.delta, metric),
        "low": _shift(d.low, metric),
        "high": _shift(d.high, metric),
        "limit": limit,
        "difference": look.number(_shift(d.delta, metric)),
        "interval": look.between(_shift(d.low, metric), _shift(d.high, metric)),
        "tolerance": look.number(limit),
        "n": d.n,
        "verdict": d.verdict.value,
        "hue": look.look_of(d.verdict).colour if coloured else _NEUTRAL,
    }


def _points(view: SuiteView, run_id: str, metric: str, zone: str) -> list[dict[str, Any]]:
    run = next(run for run in view.runs if run.id == run_id)
    said = view.said[run_id]
    verdict = _verdict_of(said.comparison, metric) if said.comparison else None
    return [
        {
            "run": run.number,
            "id": run.id,
            "when": look.moment(run.started_at, zone),
            "y": e.value,
            "low": e.low,
            "high": e.high,
            "value": look.number(e.value),
            "interval": look.between(e.low, e.high),
            "n": e.n,
            "verdict": verdict.value if verdict else "not compared",
            "size": 45 if verdict is Verdict.PASS else 110,
        }
        for e in said.estimates
        if e.metric == metric and not e.slice and e.value is not None
    ]


def _verdict_of(comparison: Comparison, metric: str) -> Verdict:
    own = [d for d in comparison.differences if d.metric == metric]
    if any(d.verdict is Verdict.REGRESSION for d in own):  # a slice's as well
        return Verdict.REGRESSION
    return next((d.verdict for d in own if not d.slice), comparison.verdict)


def _chart(rows: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.Data(values=rows))  # type: ignore[no-untyped-call]  # altair gives it no types


def _by_verdict(part: str) -> Any:
    names = [*(verdict.value for verdict in look.LOOKS), "not compared"]
    values = [getattr(a_look, part) for a_look in (*look.LOOKS.values(), look.UNSAID)]
    channel = alt.Shape if part == "shape" else alt.Color
    return channel("verdict:N", scale=alt.Scale(domain=names, range=values), legend=None)


def _rows(rows: Sequence[Mapping[str, Any]]) -> alt.Y:
    order = list(dict.fromkeys(str(row["label"]) for row in rows))
    return alt.Y(
        "label:N", title=None, sort=order, axis=alt.Axis(labelLimit=240, labelFlush=False, ticks=False, domain=False)
    )


def _scaled(value: float | None, metric: MetricFacts) -> float | None:
    return None if value is None else look.points(value - (metric.low or 0.0), metric)


def _shift(amount: float | None, metric: MetricFacts) -> float | None:
    return None if amount is None else look.points(amount, metric)


def _calm(chart: Drawn) -> Drawn:
    calm: Drawn = chart.configure_view(stroke=None).configure_axis(
        gridColor="#edf0f3", labelColor=look.QUIET, titleColor=look.QUIET, domainColor=look.LINE, tickColor=look.LINE
    )
    return calm
