"""Choosing what is shown: the address says it (`?suite=…&run=…`), lists change the address."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from haetae import Run
from haetae.dashboards import data, look


def from_list(
    label: str, options: Sequence[str], name: str, default: str, shown: Callable[[str], str] = str, clear: str = ""
) -> str:
    """What the address names under `name`, else `default`; another choice goes to the address, less `clear`."""
    wanted = st.query_params.get(name)
    now = wanted if wanted in options else default
    chosen = st.selectbox(label, options, index=options.index(now), format_func=shown)
    if chosen is not None and chosen != now:
        st.query_params[name] = chosen
        for other in clear.split():
            st.query_params.pop(other, None)
        st.rerun()
    return now


def suite_of(ledger: str, run_name: str) -> str:
    """The suite that the address names, by itself or by its run, else the first."""
    suites = data.suites(ledger)
    named = st.query_params.get(run_name, "").rpartition(".")[0]
    default = named if named in suites else suites[0]
    return from_list("Suite", suites, "suite", default, clear=f"{run_name} against sample common")


def run_of(ledger: str, suite: str, label: str, name: str, zone: str) -> Run | None:
    """The run that the address names, else the newest of the suite; None when the address names none."""
    newest = {run.id: run for run in data.runs(ledger, suite)}
    wanted = st.query_params.get(name)
    if wanted is not None and wanted not in newest:
        found = data.find(ledger, wanted)
        if found is None or found.suite != suite:
            return None
        newest[wanted] = found
    chosen = from_list(
        label,
        list(newest),
        name,
        next(iter(newest)),
        lambda run_id: f"{run_id}  ·  {look.moment(newest[run_id].started_at, zone)}",
        clear="against sample common",
    )
    return newest[chosen]


def not_found(name: str) -> None:
    """The page of an address that names no run."""
    wanted = st.query_params.get(name, "")
    look.empty("Not found", f"The ledger has no such run in this suite: {wanted[:80]}", "haetae list runs")
    st.page_link("views/overview.py", label="Back to the overview")
