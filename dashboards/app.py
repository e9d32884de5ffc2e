"""The frame of the dashboard: navigation, time zone, age of the data, and what to do when there is no ledger."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import streamlit as st

from haetae import HaetaeError
from haetae.dashboards import data, look


def zones() -> list[str]:
    """The time zones to choose from: the viewer's own among them."""
    return list(dict.fromkeys(zone for zone in ("Asia/Seoul", "UTC", st.context.timezone) if zone))


def bar(ledger: str, title: str) -> None:
    """The title of the page, how old the data is, the time zone of every time shown, and reading again."""
    read_at, newest = data.freshness(ledger)
    with st.container(horizontal=True, vertical_alignment="center", key="bar"):
        st.title(title, anchor=False, width="stretch")
        if newest is not None:
            now = datetime.now(UTC)
            zone = st.session_state.get("zone", "Asia/Seoul")
            st.html(
                f'<div class="age">Newest run {look.age(newest, now)} · '
                f"read {look.moment(read_at, zone)} · stored in UTC</div>",
                width="content",
            )
        st.selectbox("Time zone", zones(), key="zone", label_visibility="collapsed", width=170)
        if st.button("Read again", type="secondary"):
            st.cache_data.clear()
            st.rerun()
        if "HAETAE_DASHBOARD_LOGIN" in os.environ:
            st.html('<a href="/logout" target="_self">Sign out</a>', width="content")


def main() -> None:
    """Draw the frame, then the page."""
    st.set_page_config(page_title="Haetae", page_icon=look.ICON, layout="wide")
    look.dress()
    st.logo(look.LOGO, size="large")
    page = st.navigation(
        [
            st.Page("views/overview.py", title="Overview", default=True),
            st.Page("views/run.py", title="Run"),
            st.Page("views/compare.py", title="Compare"),
        ],
        position="top",
    )
    ledger = data.where()
    try:
        if why := data.trouble(ledger):
            look.empty("No data to show yet", why, "haetae demo", "haetae run suite.yaml")
        elif not data.suites(ledger):
            look.empty("The ledger is empty", "No suite has been run yet.", "haetae init", "haetae run suite.yaml")
        else:
            bar(ledger, page.title)
            page.run()
    except HaetaeError as exc:
        look.empty("The ledger cannot be read", str(exc), "haetae doctor")


main()
