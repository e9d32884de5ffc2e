"""Two runs: the verdict, the differences with their intervals, what changed, and which samples moved."""

from __future__ import annotations

import streamlit as st

from haetae import Comparison, Failure, Run, RunStatus, Verdict
from haetae.dashboards import charts, choose, data, look, text

_FORBIDDING = {"dataset", "judge", "metric", "decoding"}  # what may not differ between runs that are compared
_MOVERS = 10
_WIDTHS = {
    "verdict": 115,
    "metric": 90,
    "slice": 120,
    "baseline → candidate": 155,
    "difference": 100,
    "95 % interval": 150,
    "p (adjusted)": 90,
    "n": 50,
    "note": 330,
}


def against_of(candidate: Run, zone: str) -> Run | None:
    """The run to compare with: what the address says, else what the candidate was gated against, else the promoted."""
    said = data.said(LEDGER, candidate).comparison
    gate = candidate.manifest.suite.get("gate") or {}
    promoted = data.baseline(LEDGER, candidate.suite, gate.get("baseline", "production"))
    finished = [run for run in data.runs(LEDGER, candidate.suite) if run.status is RunStatus.FINISHED]
    runs = {run.id: run for run in (*([promoted] if promoted else []), *finished) if run.id != candidate.id}
    wanted = st.query_params.get("against")
    for named in (wanted, said.baseline[0] if said and said.baseline else None):
        if named and named not in runs and (found := data.find(LEDGER, named)) and found.suite == candidate.suite:
            runs[named] = found
    if not runs or (wanted is not None and wanted not in runs):
        st.selectbox("Baseline", ["none"], disabled=True)
        return None
    default = said.baseline[0] if said and said.baseline else next(iter(runs))

    def shown(run_id: str) -> str:
        mark = "  ·  promoted" if promoted and run_id == promoted.id else ""
        return f"{run_id}  ·  {look.moment(runs[run_id].started_at, zone)}{mark}"

    return runs[choose.from_list("Baseline", list(runs), "against", default, shown, clear="common")]


def comparison_of(candidate: Run, against: Run, common: bool) -> Comparison:
    """What was said when the candidate was gated, when it was against this run; else a comparison made now."""
    said = data.said(LEDGER, candidate).comparison
    if said and said.baseline[:1] == (against.id,) and not common:
        return said
    return data.compare(LEDGER, candidate.id, against.id, common)


def show(comparison: Comparison, candidate: Run, against: Run) -> None:
    """The whole comparison of two runs."""
    apart = _FORBIDDING & set(comparison.moved)
    incomparable = bool(apart) and (comparison.restricted or not comparison.differences)
    look.verdict_line(comparison.verdict, comparison.reason, big=True)
    others = len(comparison.baseline) - 1
    pool = f" and {others} quiet run{'' if others == 1 else 's'} like it" if others > 0 else ""
    st.caption(look.plain(f"{candidate.id} against {against.id}{pool} · false alarms held at {comparison.alpha:.0%}"))
    look.pills("What moved", comparison.moved)
    if incomparable:
        differing(comparison, apart)
    for warning in comparison.warnings:
        st.warning(look.plain(warning))
    if comparison.differences:
        numbers(comparison, candidate, coloured=not incomparable)
    if comparison.changed:
        st.subheader("What changed between the runs", anchor=False)
        st.dataframe(
            [_change(change) for change in comparison.changed], hide_index=True, alt="Fingerprints that differ"
        )
    if comparison.movers:
        movers(comparison, candidate, against)


def differing(comparison: Comparison, apart: set[str]) -> None:
    """The banner of runs that differ where they must not, and the way to their common samples."""
    what = " and ".join(sorted(apart))
    if comparison.restricted:
        st.info(f"The runs differ in {what}: only their common samples are compared, and differences are not coloured.")
    else:
        st.info(f"The runs differ in {what}, so a difference between them says nothing about the target alone.")
    if st.toggle("Compare the common samples anyway", value=comparison.restricted) != comparison.restricted:
        if comparison.restricted:
            st.query_params.pop("common", None)
        else:
            st.query_params["common"] = "true"
        st.rerun()


def numbers(comparison: Comparison, candidate: Run, *, coloured: bool) -> None:
    """The forest plot and the table behind it."""
    metrics = candidate.manifest.metrics
    st.subheader("Differences", anchor=False)
    for title, chart in charts.forest(comparison, metrics, coloured=coloured):
        st.caption(f"{look.plain(title)} · bars are 95 % intervals, the grey tick of a row is its tolerance")
        st.altair_chart(chart, alt=f"Differences in {title}, candidate − baseline, with 95 % intervals and tolerances")
    rows = []
    for d in comparison.differences:
        metric, seen = metrics[d.metric], look.look_of(d.verdict)
        unit = " points" if look.is_bounded(metric) else ""
        delta, low, high = (None if x is None else look.points(x, metric) for x in (d.delta, d.low, d.high))
        rows.append(
            {
                "verdict": f"{seen.sign} {seen.word}",
                "metric": d.metric,
                "slice": d.slice or "all",
                "baseline → candidate": f"{look.number(d.baseline)} → {look.number(d.candidate)}",
                "difference": "–" if delta is None else f"{delta:+.3g}{unit}",
                "95 % interval": "–" if low is None or high is None else f"{low:+.3g} to {high:+.3g}",
                "p (adjusted)": look.chance(d.p_drop_adjusted),
                "n": d.n,
                "note": d.note or (f"about {d.needed:,} samples would settle it" if d.needed else ""),
            }
        )
    st.dataframe(
        rows,
        hide_index=True,
        alt="Differences, intervals, adjusted p values and verdicts",
        column_config={name: st.column_config.Column(width=width) for name, width in _WIDTHS.items()},
    )
    if comparison.verdict is Verdict.PASS and any(d.verdict is not Verdict.PASS for d in comparison.differences):
        st.caption(
            "A pass rests on whole metrics: a slice can fail the gate by a proven drop, but not withhold a pass."
        )


def _change(change: str) -> dict[str, str]:
    field, _, values = change.partition(": ")
    before, _, after = values.partition(" → ")
    return {"fingerprint": field, "baseline": before, "candidate": after}


def movers(comparison: Comparison, candidate: Run, against: Run) -> None:
    """The samples whose scores changed most, side by side."""
    shown = [m for m in comparison.movers if look.number(m.baseline) != look.number(m.candidate)][:_MOVERS]
    if not shown:
        return
    st.subheader("Samples that moved most", anchor=False)
    if len(comparison.baseline) > 1:
        st.caption(
            f"The baseline's score is its mean over {len(comparison.baseline)} runs; the output is that of the first."
        )
    ids = tuple(dict.fromkeys(mover.sample_id for mover in shown))
    before = {result.sample.id: result for result in reversed(data.results(LEDGER, against.id, ids))}
    after = {result.sample.id: result for result in reversed(data.results(LEDGER, candidate.id, ids))}
    for mover in shown:
        scores = f"{mover.metric}: {look.number(mover.baseline)} → {look.number(mover.candidate)}"
        with st.expander(look.plain(f"{mover.sample_id} · {scores}"), expanded=mover is shown[0]):
            if mover.sample_id not in after:
                st.caption("The candidate has no such sample.")
                continue
            columns = st.columns(3)
            with columns[0]:
                text.show("Input", after[mover.sample_id].sample.text, "input.txt")
                for reference in after[mover.sample_id].sample.references[:1]:
                    text.show("Reference", reference, "reference.txt")
            for column, label, found in ((columns[1], "Baseline", before), (columns[2], "Candidate", after)):
                result = found.get(mover.sample_id)
                answer = result.generation.result if result and result.generation else None
                with column:
                    if answer is None:
                        st.caption(f"{label}: not run")
                        continue
                    said = answer.message if isinstance(answer, Failure) else answer.output
                    text.show(f"{label} output", said, f"{label.lower()}.txt")
                    rows = [(name, row.score) for name, row in result.scores.items()] if result else []
                    text.show_scores(rows, f"Scores of the {label.lower()}")


LEDGER = data.where()
ZONE = st.session_state["zone"]
_suite_at, _candidate_at, _against_at = st.columns([2, 3, 3])
with _suite_at:
    _suite = choose.suite_of(LEDGER, "run")
with _candidate_at:
    _candidate = choose.run_of(LEDGER, _suite, "Candidate", "run", ZONE)
if _candidate is None:
    choose.not_found("run")
elif _candidate.manifest.suite.get("gate") is None:
    look.empty(
        "No gate", "The suite of this run declares no gate, so nothing says what a regression is.", "haetae check"
    )
else:
    with _against_at:
        _against = against_of(_candidate, ZONE)
    if _against is None and "against" in st.query_params:
        choose.not_found("against")
    elif _against is None:
        look.verdict_line(Verdict.NO_VERDICT, "There is no other finished run to compare with yet.", big=True)
        st.code(f"haetae promote {_candidate.id}", language="bash")
    elif _candidate.status is not RunStatus.FINISHED:
        _accounting, _ = data.accounts(LEDGER, _candidate.id)
        st.badge(look.plain(look.standing(_candidate, data.done(_accounting))), color="gray")
        look.verdict_line(
            Verdict.NO_VERDICT, f"{_candidate.id} is not finished: it is not comparable as final.", big=True
        )
    else:
        show(comparison_of(_candidate, _against, "common" in st.query_params), _candidate, _against)
