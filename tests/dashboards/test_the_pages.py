"""Every page and state, run by Streamlit's own test runner: what it shows is what the ledger says."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from haetae import Workbench
from haetae.dashboards import look
from haetae.store.sql import open_ledger

Open = Callable[..., AppTest]
Read = Callable[[AppTest], str]


def rows(app: AppTest, column: str) -> list[dict[str, Any]]:
    """The rows of the first table that has a column of this name."""
    table = next(frame.value for frame in app.dataframe if column in frame.value.columns)
    found: list[dict[str, Any]] = table.to_dict("records")
    return found


def test_the_overview_says_the_last_verdict_of_every_suite(
    open_app: Open, read: Read, seeded: Any, workbench: Workbench
) -> None:
    app = open_app(seeded.url)
    assert not app.exception
    text = read(app)
    for run_id in (seeded.regression, seeded.judge_drift, seeded.inconclusive):
        comparison = workbench.ledger.comparison(run_id)
        assert comparison is not None
        assert look.look_of(comparison.verdict).word in text
        assert comparison.reason in text
    assert text.index("Regression") < text.index("No verdict", text.index("Regression")) < text.rindex("Inconclusive")
    assert "✕" in text, "a verdict is a sign as well as a colour"


def test_the_overview_says_in_words_how_many_runs_regressed(open_app: Open, read: Read, seeded: Any) -> None:
    text = read(open_app(seeded.url))
    assert "8 runs shown · regression in 1 of them" in text
    assert text.count("regression in ") == 1


def test_the_overview_shows_the_newest_number_of_each_gated_metric(
    open_app: Open, read: Read, seeded: Any, workbench: Workbench
) -> None:
    text = read(open_app(seeded.url))
    for e in workbench.ledger.estimates(seeded.regression):
        if not e.slice:
            assert f"{look.number(e.value)} ({look.between(e.low, e.high)}), n {e.n}" in text


def test_an_unfinished_run_is_partial_and_has_no_verdict(open_app: Open, read: Read, seeded: Any) -> None:
    assert "번역-ko-en.4: partial 12/24 (interrupted)" in read(open_app(seeded.url))
    run = open_app(seeded.url, "run", run=seeded.unfinished)
    assert not run.exception
    assert "partial 12/24 (interrupted)" in read(run)
    assert "not compared as final" in read(run)
    compared = open_app(seeded.url, "compare", run=seeded.unfinished)
    assert "not comparable as final" in read(compared)
    assert not compared.dataframe


def test_times_are_shown_in_a_named_zone_and_change_with_it(open_app: Open, read: Read, seeded: Any) -> None:
    app = open_app(seeded.url, "run", run=seeded.regression)
    assert "2026-03-10 06:00 KST" in read(app)  # stored as 2026-03-09 21:00 UTC
    app.selectbox(key="zone").set_value("UTC").run()
    assert "2026-03-09 21:00 UTC" in read(app)
    assert "KST" not in read(app)


def test_a_run_shows_its_estimates_as_the_ledger_has_them(open_app: Open, seeded: Any, workbench: Workbench) -> None:
    app = open_app(seeded.url, "run", run=seeded.regression)
    assert not app.exception
    wholes = {e.metric: e for e in workbench.ledger.estimates(seeded.regression) if not e.slice}
    shown = {row["metric"]: row for row in rows(app, "detectable drop")}
    assert shown.keys() == wholes.keys()
    for name, e in wholes.items():
        assert shown[name]["value"] == look.number(e.value)
        assert shown[name]["95% interval"] == look.between(e.low, e.high)
        assert (shown[name]["n"], shown[name]["unscored"]) == (e.n, e.unscored)


def test_a_run_accounts_for_every_sample(open_app: Open, seeded: Any, workbench: Workbench) -> None:
    for run_id in (seeded.regression, seeded.unfinished):
        shown = {row["metric"]: row for row in rows(open_app(seeded.url, "run", run=run_id), "why unscored")}
        accounts = workbench.ledger.accounting(run_id)
        assert shown.keys() == {account.metric for account in accounts}
        for account in accounts:
            row = shown[account.metric]
            assert (row["scored"], row["not run"], row["total"]) == (account.scored, account.not_run, account.total)
            assert row["scored"] + row["unscored"] + row["not run"] == row["total"]


def test_a_run_whose_samples_are_all_scored_says_so_in_one_line(open_app: Open, read: Read, seeded: Any) -> None:
    app = open_app(seeded.url, "run", run=seeded.whole)
    assert "All 24 are scored, by every metric: exact, rouge." in read(app)
    assert not any("why unscored" in frame.value.columns for frame in app.dataframe)


def test_a_run_says_which_estimates_are_not_drawn(open_app: Open, read: Read, seeded: Any) -> None:
    text = read(open_app(seeded.url, "run", run=seeded.regression))
    assert "In the table alone, because their scales have no end: cost." in text


def test_a_run_says_what_it_was_and_what_it_spent(
    open_app: Open, read: Read, seeded: Any, workbench: Workbench
) -> None:
    text = read(open_app(seeded.url, "run", run=seeded.regression))
    spent = workbench.ledger.spent(seeded.regression)
    assert f"${spent.cost_usd:,.4f}" in text
    assert f"{spent.calls:,} ({spent.retried:,} retried" in text
    assert "support-ko-answer@4" in text
    assert "100 samples" in text


def test_samples_are_paged_and_found_by_korean_words(open_app: Open, seeded: Any) -> None:
    app = open_app(seeded.url, "run", run=seeded.regression)
    assert len(rows(app, "input")) == 50
    app.number_input[0].set_value(2).run()
    assert rows(app, "input")[0]["sample"] == "refund-050"
    app.text_input(key="q").set_value("비밀번호").run()
    found = rows(app, "input")
    assert len(found) == 20
    assert all("비밀번호" in row["input"] for row in found)
    app.text_input(key="q").set_value("이런 말은 없다").run()
    assert not app.exception
    assert "No sample here" in [element.value for element in app.subheader]


def test_only_unscored_samples_are_shown_on_request_with_their_reasons(open_app: Open, seeded: Any) -> None:
    app = open_app(seeded.url, "run", run=seeded.regression)
    app.toggle(key="unscored").set_value(True).run()
    found = rows(app, "input")
    assert [row["sample"] for row in found] == ["account-003", "coupon-099"]
    assert found[0]["unscored"] == "faithful: judge_parse_failure, polite: judge_parse_failure"
    assert found[1]["output"] == "no answer: timeout"


def test_a_sample_is_shown_whole_with_explanations(open_app: Open, seeded: Any) -> None:
    app = open_app(seeded.url, "run", run=seeded.regression, sample="refund-000")
    blocks = [block.value for block in app.code]
    assert "환불은 며칠 걸리나요?" in blocks
    assert "환불은 영업일 기준 3일 안에 처리됩니다. 감사합니다." in blocks
    assert "답변이 문서의 내용과 일치합니다." in blocks
    assert not open_app(seeded.url, "run", run=seeded.regression, sample="no such").exception


def test_a_huge_answer_is_a_preview_and_a_download(open_app: Open, read: Read, seeded: Any) -> None:
    app = open_app(seeded.url, "run", run=seeded.hostile, sample="verdicts-005")
    assert max(len(block.value) for block in app.code) == 20_000
    assert "The first 20,000 of 20,000,000 characters." in read(app)
    assert "Download the whole text" in [button.proto.label for button in app.get("download_button")]


def test_answers_are_never_markdown(open_app: Open, seeded: Any) -> None:
    for sample in ("runs-000", "ledger-001", "verdicts-002"):
        app = open_app(seeded.url, "run", run=seeded.hostile, sample=sample)
        assert not app.exception
        marked = "".join(e.value for kind in ("markdown", "caption", "subheader", "title") for e in app.get(kind))
        assert "script" not in marked
        assert "tracked" not in marked
        assert "HYPERLINK" not in marked
        assert not any("window.pwned" in element.proto.body for element in app.get("html"))


def test_a_comparison_shows_the_ledgers_differences(
    open_app: Open, read: Read, seeded: Any, workbench: Workbench
) -> None:
    app = open_app(seeded.url, "compare", run=seeded.regression)
    assert not app.exception
    comparison = workbench.ledger.comparison(seeded.regression)
    assert comparison is not None
    assert comparison.reason in read(app)
    shown = rows(app, "p (adjusted)")
    assert len(shown) == len(comparison.differences)
    metrics = workbench.ledger.run(seeded.regression).manifest.metrics
    for row, d in zip(shown, comparison.differences, strict=True):
        assert (row["metric"], row["slice"], row["n"]) == (d.metric, d.slice or "all", d.n)
        assert row["verdict"].endswith(look.look_of(d.verdict).word)
        assert d.delta is not None
        assert row["difference"].startswith(f"{look.points(d.delta, metrics[d.metric]):+.3g}")
    assert {
        "fingerprint": "target.prompt",
        "baseline": "support-ko-answer@3",
        "candidate": "support-ko-answer@4",
    } in rows(app, "fingerprint")
    folds = [fold.label.replace("\\", "") for fold in app.expander]
    assert comparison.movers[0].sample_id in " ".join(folds)
    scores = [fold.rpartition(": ")[2].split(" → ") for fold in folds if " → " in fold]
    assert scores
    assert all(before != after for before, after in scores), "a sample that did not move is no mover"


def test_runs_with_another_judge_get_a_banner_and_their_common_samples_on_request(
    open_app: Open, read: Read, seeded: Any
) -> None:
    app = open_app(seeded.url, "compare", run=seeded.judge_drift)
    assert not app.exception
    assert "The runs differ in judge" in app.info[0].value
    assert "demo-judge-7b" in read(app)
    assert not any("p (adjusted)" in frame.value.columns for frame in app.dataframe)
    app.toggle[0].set_value(True).run()
    assert not app.exception
    assert "only their common samples are compared" in app.info[0].value
    assert len(rows(app, "p (adjusted)")) == 2


def test_another_baseline_is_compared_on_the_spot(
    open_app: Open, read: Read, seeded: Any, workbench: Workbench
) -> None:
    app = open_app(seeded.url, "compare", run=seeded.regression, against="support-ko.5")
    assert not app.exception
    assert workbench.compare(seeded.regression, "support-ko.5").reason in read(app)
    assert "against support-ko.5" in read(app)


@pytest.mark.parametrize("page", ["run", "compare"])
@pytest.mark.parametrize("run", ["../../x", "1;DROP TABLE run", "support-ko.99", "support-ko.<b>", "nothing.1", ""])
def test_an_address_of_no_run_is_a_not_found_page(open_app: Open, read: Read, seeded: Any, page: str, run: str) -> None:
    app = open_app(seeded.url, page, run=run)
    assert not app.exception
    assert "Not found" in read(app)


def test_choosing_another_run_moves_the_address(open_app: Open, read: Read, seeded: Any) -> None:
    app = open_app(seeded.url, "run", suite="support-ko")
    app.selectbox[2].set_value(seeded.pass_).run()
    assert not app.exception
    assert app.query_params["run"] == seeded.pass_
    assert "Pass" in read(app)


def test_a_missing_ledger_is_an_empty_state_with_the_next_command(open_app: Open, read: Read, tmp_path: Path) -> None:
    app = open_app(f"sqlite:///{tmp_path}/none/ledger.db")
    assert not app.exception
    assert "no ledger yet" in read(app)
    assert "haetae demo" in [block.value for block in app.code]
    assert not (tmp_path / "none").exists(), "looking makes nothing"


def test_an_empty_ledger_is_an_empty_state(open_app: Open, read: Read, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    open_ledger(url).close()
    app = open_app(url)
    assert not app.exception
    assert "No suite has been run yet" in read(app)


def test_a_ledger_of_another_schema_says_what_to_do(open_app: Open, read: Read, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    open_ledger(url).close()
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        table = raw.execute("SELECT name FROM sqlite_master WHERE name LIKE '%version%'").fetchone()[0]
        raw.execute(f"UPDATE {table} SET version_num = '9999'")  # noqa: S608  # the table's own name
    raw.close()
    app = open_app(url)
    assert not app.exception
    assert "newer Haetae" in read(app)


def test_a_file_that_is_no_ledger_says_so(open_app: Open, read: Read, tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database, whatever its name says" * 100)
    app = open_app(f"sqlite:///{tmp_path}/ledger.db")
    assert not app.exception
    assert "not an SQLite database" in read(app)
