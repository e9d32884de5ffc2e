"""Every suite at a glance: its last verdict, why, what moved, and the trend of each gated metric."""

from __future__ import annotations

import streamlit as st

from haetae import Comparison, Run, RunStatus, Verdict
from haetae.dashboards import charts, data, look
from haetae.dashboards.data import SuiteView

_CHARTS = 4  # beside one another


def judged_of(view: SuiteView) -> Run | None:
    """The newest run that finished: what the suite's verdict is of."""
    return next((run for run in view.runs if run.status is RunStatus.FINISHED), None)


def verdict_of(view: SuiteView) -> Verdict | None:
    """What was last said of a suite."""
    judged = judged_of(view)
    said = view.said[judged.id].comparison if judged else None
    return said.verdict if said else None


def show(view: SuiteView, zone: str) -> None:
    """One suite."""
    last, judged = view.runs[0], judged_of(view)
    said = view.said[judged.id].comparison if judged else None
    with st.container(border=True, key=f"suite-{view.name}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(look.plain(view.name), anchor=False, width="stretch")
            if last.status is not RunStatus.FINISHED:
                st.badge(f"{look.plain(last.id)}: {look.plain(look.standing(last, view.done))}", color="gray")
            st.page_link("views/run.py", label="Newest run", query_params={"suite": view.name, "run": last.id})
            if judged:
                link = {"suite": view.name, "run": judged.id}
                st.page_link("views/compare.py", label="Compare", query_params=link)
        if judged is None:
            look.verdict_line(None, "No run of this suite has finished yet; the same command goes on with it.")
        elif said is None:
            look.verdict_line(None, f"{judged.id} was compared with nothing: the suite declares no gate.")
        else:
            look.verdict_line(said.verdict, said.reason)
            look.pills("What moved", said.moved)
        when = look.moment((judged or last).started_at, zone)
        base = f"baseline {view.baseline.id}" if view.baseline else "no baseline yet"
        shown = f"{len(view.runs)} run{'' if len(view.runs) == 1 else 's'} shown"
        fallen = sum(_regressed(view.said[run.id].comparison) for run in view.runs)
        told = f"regression in {fallen} of them" if fallen else ""
        st.caption(look.plain(" · ".join(filter(None, ((judged or last).id, when, base, shown, told)))))
        _trends(view, zone)


def _regressed(said: Comparison | None) -> bool:
    return said is not None and said.verdict is Verdict.REGRESSION


def _trends(view: SuiteView, zone: str) -> None:
    manifest = view.runs[0].manifest
    metrics = list((manifest.suite.get("gate") or {}).get("metrics") or manifest.metrics)
    for start in range(0, len(metrics), _CHARTS):
        some = metrics[start : start + _CHARTS]
        for column, metric in zip(st.columns(max(len(some), 3)), some, strict=False):
            with column:
                look.heading(metric, _newest(view, metric))
                chart = charts.trend(view, metric, zone)
                if chart is None:
                    st.caption("No run has a value of this metric yet.")
                else:
                    st.altair_chart(chart, alt=f"{metric} of {view.name} over its runs, with 95 % intervals")


def _newest(view: SuiteView, metric: str) -> str:
    for run in view.runs:
        for e in view.said[run.id].estimates:
            if e.metric == metric and not e.slice and e.value is not None:
                return f"{look.number(e.value)} ({look.between(e.low, e.high)}), n {e.n:,}"
    return ""


_views = data.overview(data.where())
_verdicts = {view.name: verdict_of(view) for view in _views}
look.tally(list(_verdicts.values()))
look.legend()
for _view in sorted(_views, key=lambda view: look.GRAVITY.index(look.look_of(_verdicts[view.name]))):
    show(_view, st.session_state["zone"])
