"""One run: what it was, what it measured, what became of every sample, and the samples themselves."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from haetae import Estimate, Failure, Run, RunStatus
from haetae.dashboards import charts, choose, data, look, text
from haetae.dashboards.data import Said, SampleRow


def header(run: Run, said: data.Said, zone: str) -> None:
    """What the run was, and what was said of it."""
    accounting, spent = data.accounts(LEDGER, run.id)
    if run.status is not RunStatus.FINISHED:
        st.badge(look.plain(look.standing(run, data.done(accounting))), color="gray")
        note = f" {run.note}" if run.note else ""
        look.verdict_line(None, f"Not finished: these numbers are partial and are not compared as final.{note}")
    elif said.comparison:
        look.verdict_line(said.comparison.verdict, said.comparison.reason)
        look.pills("What moved", said.comparison.moved)
    else:
        look.verdict_line(None, "This run was compared with nothing: its suite declares no gate.")
    manifest = run.manifest
    left, right = st.columns(2)
    version = str(manifest.dataset.get("version", "")).removeprefix("sha256:")[:12]
    with left:
        look.facts(
            [
                ("Started", look.moment(run.started_at, zone)),
                ("Ended", look.moment(run.finished_at, zone) if run.finished_at else "not yet"),
                (
                    "Dataset",
                    f"{manifest.dataset.get('name')} · version {version} · {manifest.dataset.get('count')} samples",
                ),
                *manifest.references.items(),
                *((f"tag {name}", value) for name, value in run.tags.items()),
            ]
        )
    with right:
        cost = "unknown" if spent.cost_usd is None else f"${spent.cost_usd:,.4f}"
        unpriced = f" and {spent.unpriced_calls:,} calls of unknown price" if spent.unpriced_calls else ""
        look.facts(
            [
                ("Samples", f"{data.done(accounting):,} of {run.total:,} dealt with"),
                ("Cost", cost + (unpriced if spent.cost_usd is not None else "")),
                ("Calls", f"{spent.calls:,} ({spent.retried:,} retried, {spent.reused:,} answers reused)"),
                ("Tokens", f"{spent.tokens:,}"),
                ("Manifest", manifest.digest[:12]),
            ]
        )


def numbers(run: Run, said: Said) -> None:
    """Estimates with their intervals, whole and by slice."""
    st.subheader("Estimates", anchor=False)
    wholes = [e for e in said.estimates if not e.slice]
    if not wholes:
        st.caption("Nothing has been estimated yet: a run is estimated when it ends.")
        return
    left, right = st.columns([5, 6])
    with left:
        chart = charts.whiskers(wholes, run.manifest.metrics)
        if chart is not None:
            st.altair_chart(chart, alt=f"Estimates of {run.id} with their intervals, in points of 100")
        undrawn = [e.metric for e in wholes if not look.is_bounded(run.manifest.metrics[e.metric])]
        if undrawn:
            st.caption(f"In the table alone, because their scales have no end: {look.plain(', '.join(undrawn))}.")
    with right:
        st.dataframe([_estimate(e) for e in wholes], hide_index=True, alt="Estimates with their intervals")
    slices = [e for e in said.estimates if e.slice]
    if slices:
        with st.expander(f"By slice ({len(slices)} estimates)"):
            metric = st.selectbox("Metric", list(dict.fromkeys(e.metric for e in slices)))
            of_metric = [e for e in slices if e.metric == metric]
            chart = charts.whiskers(of_metric, run.manifest.metrics, label="slice")
            if chart is not None:
                st.altair_chart(chart, alt=f"{metric} by slice, with intervals")
            st.dataframe([{"slice": e.slice, **_estimate(e)} for e in of_metric], hide_index=True)


def _estimate(e: Estimate) -> dict[str, object]:
    return {
        "metric": e.metric,
        "value": look.number(e.value),
        f"{e.level:.0%} interval": look.between(e.low, e.high),
        "n": e.n,
        "unscored": e.unscored,
        "detectable drop": look.number(e.detectable_drop),
        "method": e.method,
    }


def account(run: Run) -> None:
    """Every sample accounted for: scored + unscored + not run is the total."""
    st.subheader("Every sample accounted for", anchor=False)
    found = data.accounts(LEDGER, run.id)[0]
    if found and all(a.scored == a.total for a in found):
        names = look.plain(", ".join(a.metric for a in found))
        st.caption(f"All {run.total:,} are scored, by every metric: {names}.")
        return
    st.caption("scored + unscored + not run = total, for each metric")
    rows = [
        {
            "metric": a.metric,
            "scored": a.scored,
            "unscored": sum(a.unscored.values()),
            "why unscored": ", ".join(f"{reason} {count}" for reason, count in sorted(a.unscored.items())),
            "not run": a.not_run,
            "total": a.total,
        }
        for a in found
    ]
    st.dataframe(rows, hide_index=True, alt="Scored, unscored and not run samples per metric")


def samples(run: Run) -> None:
    """The samples, a page at a time, and the one that is chosen."""
    st.subheader("Samples", anchor=False)
    search_at, only_at, page_at, csv_at = st.columns([5, 2, 2, 2], vertical_alignment="bottom")
    search = search_at.text_input("Search in questions, answers and references", key="q", placeholder="환불, refund …")
    only = only_at.toggle("Only unscored", key="unscored")
    state = f"page {run.id} {search} {only}"
    page = int(page_at.number_input("Page", min_value=1, value=1, key=state)) - 1
    if run.total <= data.EXPORTED:
        csv_at.download_button(
            "Whole run as CSV", lambda: data.csv(LEDGER, run.id), f"{run.id}.csv", "text/csv", on_click="ignore"
        )
    else:
        csv_at.code(f"haetae export {run.id} --format csv", language="bash", wrap_lines=True)
    found = data.samples(LEDGER, run.id, page, search, only)
    if not found.rows:
        look.empty("No sample here", "Nothing matches; try a shorter search, an earlier page, or all samples.")
        return
    first = page * data.PAGE + 1
    more = "more on the next page" if found.more else "the last ones"
    st.caption(f"Rows {first:,} to {first + len(found.rows) - 1:,}, {more}. Choose a row to read it whole.")
    names = list(run.manifest.metrics)
    chosen = st.dataframe(
        [_sample(row, names) for row in found.rows],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"table {state} {page}",
        alt="Samples with their answers and scores",
        column_config={
            "input": st.column_config.TextColumn(width=300),
            "output": st.column_config.TextColumn(width=380),
            **{f"{name} ": st.column_config.NumberColumn(format="%.4g") for name in names},
        },
    )
    picked = chosen.selection.rows
    if picked and picked[0] < len(found.rows):
        st.query_params["sample"] = found.rows[picked[0]].sample_id
    if wanted := st.query_params.get("sample"):
        detail(run, wanted)


def _sample(row: SampleRow, names: Sequence[str]) -> dict[str, object]:
    return {
        "sample": row.sample_id,
        "repeat": row.repeat,
        "input": row.input,
        "output": row.output if row.output is not None else f"no answer: {row.failure or 'not run'}",
        **{f"{name} ": row.scores.get(name) for name in names},  # a metric may be called `input`
        "unscored": ", ".join(f"{name}: {why}" for name, why in row.reasons.items()),
    }


def detail(run: Run, sample_id: str) -> None:
    """One sample, every repeat: what was asked, what was answered, what each metric says of it."""
    with st.container(border=True):
        st.subheader(f"Sample {look.plain(sample_id)}", anchor=False)
        found = data.results(LEDGER, run.id, (sample_id,))
        if not found:
            st.caption("This run has no such sample.")
            return
        sample = found[0].sample
        look.pills("Metadata", (f"{name}: {value}" for name, value in sample.metadata.items()))
        asked, answered = st.columns(2)
        with asked:
            for number, message in enumerate(sample.messages):
                text.show(f"Input ({message.role})", text.said(message), f"input-{number}.txt")
            for number, reference in enumerate(sample.references):
                text.show("Reference", reference, f"reference-{number}.txt")
            text.show_passages("Contexts given", sample.contexts)
            text.show_passages("Reference contexts", sample.reference_contexts)
        with answered:
            for result in found:
                answer = result.generation.result if result.generation else None
                nth = f" (repeat {result.repeat})" if len(found) > 1 else ""
                if answer is None:
                    st.caption(f"Output{nth}: not run")
                elif isinstance(answer, Failure):
                    text.show(f"No answer{nth}: {look.plain(answer.reason)}", answer.message, "failure.txt")
                else:
                    text.show(f"Output{nth}", answer.output, f"output-{result.repeat}.txt")
                    text.show_turns(f"Transcript{nth}", answer.transcript or ())
                    text.show_passages("Contexts retrieved", answer.contexts)
                rows = [(name, row.score) for name, row in result.scores.items()]
                text.show_scores(rows, "Scores of this answer")
                for name, score in rows:
                    if score.explanation:
                        text.show(f"Why {look.plain(name)}", score.explanation, "explanation.txt")


LEDGER = data.where()
ZONE = st.session_state["zone"]
_suite_at, _run_at = st.columns([1, 2])
with _suite_at:
    _suite = choose.suite_of(LEDGER, "run")
with _run_at:
    _run = choose.run_of(LEDGER, _suite, "Run", "run", ZONE)
if _run is None:
    choose.not_found("run")
else:
    _said = data.said(LEDGER, _run)
    header(_run, _said, ZONE)
    numbers(_run, _said)
    account(_run)
    samples(_run)
