"""The parts below the pages: labels, numbers, exports and charts."""

from __future__ import annotations

import csv
import io
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from haetae import Estimate, HaetaeError, MetricFacts, Verdict, Workbench
from haetae.dashboards import asgi, charts, data, look

BOUNDED = {"m": MetricFacts("m", "1"), "five": MetricFacts("five", "1", 1.0, 5.0)}


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cc"]), min_size=1))
def test_no_text_in_a_label_is_markdown(text: str) -> None:
    label = look.plain(text)
    if not label:
        return
    tokens = MarkdownIt("commonmark").parse(f"x {label}")  # a page's labels never begin with outside text alone
    kinds = {child.type for token in tokens for child in token.children or ()}
    assert kinds <= {"text", "text_special", "softbreak"}
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]


def test_verdicts_differ_in_word_sign_shape_and_colour() -> None:
    looks = [look.look_of(verdict) for verdict in (*Verdict, None)]
    for part in ("word", "sign", "mark", "shape", "colour"):
        assert len({getattr(a_look, part) for a_look in looks}) == len(looks)


def test_ages_are_words() -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    assert look.age(now - timedelta(seconds=20), now) == "just now"
    assert look.age(now - timedelta(minutes=1), now) == "1 minute ago"
    assert look.age(now - timedelta(hours=30), now) == "1 day ago"
    assert look.age(now + timedelta(hours=1), now) == "just now"


def test_a_p_value_is_never_zero() -> None:
    assert look.chance(0.0) == "< 0.001"
    assert look.chance(None) == "–"


def test_points_are_of_the_metrics_own_scale() -> None:
    assert look.points(0.4, BOUNDED["five"]) == pytest.approx(10)  # 0.4 of the 4 between 1 and 5
    assert look.points(0.4, MetricFacts("cost", "1", 0.0, None)) == 0.4


def test_the_csv_runs_nothing_in_a_spreadsheet(seeded: Any) -> None:
    text = data.csv(seeded.url, seeded.hostile).decode("utf-8-sig")
    before = csv.field_size_limit(len(text))
    found = list(csv.reader(io.StringIO(text)))
    csv.field_size_limit(before)
    assert len(found) == 61
    for cell in (cell for row in found for cell in row):
        assert not cell.startswith(("=", "+", "@", "\t", "\r", "＝"))
    assert any(cell.startswith("'=HYPERLINK") for row in found for cell in row)


def values_of(chart: Any) -> list[dict[str, Any]]:
    """The rows that a chart draws, each data set once."""
    spec = chart.to_dict()
    sets = [part["data"]["values"] for part in (spec, *spec["layer"]) if "data" in part]
    return [row for i, rows in enumerate(sets) if rows not in sets[:i] for row in rows]


def test_a_chart_of_nothing_is_none() -> None:
    nothing = Estimate("m", "", None, None, None, 0, 0, 9)
    assert charts.whiskers([nothing], BOUNDED) is None
    assert charts.whiskers([], BOUNDED) is None


@pytest.mark.parametrize("value", [0.5, 0.0, 1.0])
def test_whiskers_carry_the_estimate_and_its_n(value: float) -> None:
    chart = charts.whiskers([Estimate("five", "", 1 + 4 * value, None, None, 1, 1, 0)], BOUNDED)
    assert chart is not None
    row = values_of(chart)[0]
    assert (row["at"], row["low"], row["n"]) == (pytest.approx(100 * value), None, 1)


def test_a_trend_marks_each_run_by_what_was_said_of_that_metric(seeded: Any, workbench: Workbench) -> None:
    view = next(view for view in data.overview(seeded.url) if view.name == "support-ko")
    for metric, last in (("rouge", "regression"), ("cost", "pass")):
        points = [row for row in values_of(charts.trend(view, metric, "UTC")) if "id" in row]
        said = {row["id"]: row["verdict"] for row in points}
        assert len(said) == 8
        assert said["support-ko.1"] == "no verdict"
        assert said[seeded.regression] == last
        value = next(e.value for e in workbench.ledger.estimates(seeded.regression) if e.metric == metric)
        assert points[-1]["y"] == value
    assert charts.trend(view, "no such metric", "UTC") is None


def test_the_forest_has_a_row_a_zero_line_and_a_tolerance_for_each_difference(
    seeded: Any, workbench: Workbench
) -> None:
    comparison = workbench.ledger.comparison(seeded.regression)
    assert comparison is not None
    metrics = workbench.ledger.run(seeded.regression).manifest.metrics
    drawn = dict(charts.forest(comparison, metrics, coloured=True))
    assert list(drawn) == ["points of 100", "cost, in its own unit"]
    zero, *found = values_of(drawn["points of 100"])
    assert zero == {"zero": 0}
    assert len(found) + 1 == len(comparison.differences)
    assert [row["limit"] for row in found] == pytest.approx([-5] * len(found))
    (cost,) = values_of(drawn["cost, in its own unit"])[1:]
    assert cost["limit"] == pytest.approx(0.0002), "of a cost, a rise is what is tolerated"
    grey = dict(charts.forest(comparison, metrics, coloured=False))["points of 100"]
    assert len({row["hue"] for row in values_of(grey)[1:]}) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.com", ""])  # noqa: S104  # refused
def test_the_server_refuses_to_listen_beyond_this_machine(host: str) -> None:
    with pytest.raises(HaetaeError, match="authenticating proxy in front") as refused:
        asgi.serve(host=host)
    assert refused.value.exit_code == 2


def test_a_port_that_is_taken_is_an_error_with_its_number() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(HaetaeError, match=f"port {port} of 127.0.0.1 cannot be had"):
            asgi.serve(port=port)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1", "[::1]"])
def test_loopback_names_are_known(host: str) -> None:
    assert asgi.is_loopback(host)
