"""The month of `haetae demo`, in five nights of small suites, interrupted once by a real Ctrl-C."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from haetae import Workbench
from haetae.core.run import RunStatus
from haetae.core.verdict import Verdict
from haetae.demo import month, story
from haetae.demo.models import DemoModels
from haetae.errors import MissingExtra
from haetae.settings import load_settings
from haetae.workbench.shipped import shipped

NIGHTS = 5
SAMPLES = {"support-ko": 50, "docs-en": 50, "translate-ko-en": 160}


@dataclass(frozen=True)
class Played:
    """The ledger of the month, and what was printed before and after the interruption."""

    bench: Workbench
    before: list[str]
    after: list[str]

    def verdicts(self, suite: str) -> list[Verdict]:
        """Of the second night and the ones after it."""
        said = [self.bench.ledger.comparison(f"{suite}.{number}") for number in range(2, NIGHTS + 1)]
        return [comparison.verdict for comparison in said if comparison is not None]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("month")
    said: list[str] = []
    pressed: list[int] = []
    answers = DemoModels.chat

    def interrupting(models, body):
        """Answer, and press Ctrl-C once, at the first question of the third night."""
        if models.night == 2 and not pressed:
            pressed.append(models.night)
            os.kill(os.getpid(), signal.SIGINT)
        return answers(models, body)

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("HAETAE_")]:
            patch.delenv(name)
        patch.setattr("click.echo", said.append)
        patch.setattr(story, "shipped", lambda name: smaller(name, folder / "suites"))
        patch.setattr(DemoModels, "chat", interrupting)
        with pytest.raises(KeyboardInterrupt):
            month.play(folder / "home", NIGHTS, None)
        before = len(said)
        month.play(folder / "home", NIGHTS, None)
    with Workbench(load_settings({"HAETAE_HOME": str(folder / "home")})) as bench:
        yield Played(bench, said[:before], said[before:])


def smaller(suite: str, folder: Path) -> Path:
    """A shipped suite with fewer samples and without trackers."""
    if not (folder / suite).exists():
        file = shutil.copytree(shipped(suite), folder / suite) / "suite.yaml"
        text = re.sub(r"^track:.*$", f"limit: {SAMPLES[suite]}", file.read_text("utf-8"), flags=re.MULTILINE)
        file.write_text(text, "utf-8")
    return folder / suite


def test_an_interrupted_month_goes_on_where_it_stopped(played):
    nights = []
    for suite in story.SUITES:
        runs = played.bench.ledger.runs(suite)[::-1]
        assert [run.number for run in runs] == list(range(1, NIGHTS + 1))
        assert {run.status for run in runs} == {RunStatus.FINISHED}
        assert all(len(played.bench.ledger.results(run.id)) == SAMPLES[suite] for run in runs)
        nights.append([run.started_at.date() for run in runs])
    assert nights[0] == nights[1] == nights[2]
    assert len(set(nights[0])) == NIGHTS
    told = [line[7:].split()[0] for line in played.before + played.after if re.match(r"\d\d-\d\d  ", line)]
    assert sorted(told) == sorted(f"{suite}.{n}" for suite in story.SUITES for n in range(1, NIGHTS + 1))
    assert any("support-ko.3 " in line for line in played.before)  # the run that Ctrl-C met was finished
    assert any("docs-en.3 " in line for line in played.after)


def test_the_change_of_the_prompt_is_a_regression_until_it_is_rolled_back(played):
    assert played.verdicts("support-ko")[2] is Verdict.REGRESSION
    assert played.verdicts("support-ko").count(Verdict.REGRESSION) == 1
    assert played.bench.ledger.comparison("support-ko.4").moved == ("prompt",)


def test_another_judge_is_no_verdict_until_there_is_a_baseline_of_its_own(played):
    assert [v is Verdict.NO_VERDICT for v in played.verdicts("docs-en")] == [False, True, False, False]
    assert played.bench.ledger.comparison("docs-en.3").moved == ("judge",)
    assert Verdict.REGRESSION not in played.verdicts("docs-en")


def test_chance_is_not_a_regression(played):
    assert not {Verdict.REGRESSION, Verdict.NO_VERDICT} & set(played.verdicts("translate-ko-en"))


def test_the_first_verdict_is_told_in_full_and_the_end_counts_what_the_ledger_holds(played):
    assert played.bench.report("support-ko.2").text in "\n".join(played.before)
    closing = played.after[-1]
    for suite in story.SUITES:
        verdicts = played.verdicts(suite)
        expected = {f"{verdicts.count(verdict)} {verdict.value}" for verdict in set(verdicts)}
        told = closing.partition(f"  {suite} ")[2].splitlines()[1]
        assert set(told.strip().partition(";")[0].split(", ")) == expected
    alarms = [line for line in played.before + played.after if line.endswith("ALARM")]
    assert sum(int(count) for count in re.findall(r"alarms on (\d+) of", closing)) == len(alarms)
    assert any("docs-en.3 " in line for line in alarms)


def test_the_end_gives_commands_that_show_the_regression(played):
    told = played.after[-1].partition("Look closer")[2].splitlines()[2:]
    listing, comparing, dashboard = (line.strip() for line in told)
    assert all(line.strip().startswith(f"HAETAE_HOME={played.bench.settings.home} ") for line in told)
    assert comparing.endswith("haetae compare support-ko.4")
    assert dashboard.endswith("haetae dashboard")
    seen = bash(f"{listing}; {comparing}")
    assert (seen.returncode, seen.stderr) == (1, "")
    assert "support-ko.5 " in seen.stdout
    assert "✗ REGRESSION  against support-ko.1" in seen.stdout


def bash(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)


def test_a_month_that_is_played_is_not_played_again(played, monkeypatch, tmp_path):
    said: list[str] = []
    monkeypatch.setattr("click.echo", said.append)
    month.play(played.bench.settings.home, NIGHTS, None)
    assert any("has been played" in line for line in said)
    assert said[-1] == played.after[-1]


def test_the_dashboard_takes_another_port_where_its_own_is_taken():
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        taken = somebody.getsockname()[1]
        assert month._available(taken) not in (0, taken)
    assert month._available(taken) == taken


def test_a_missing_dashboard_is_told_before_the_month_is_played(monkeypatch, tmp_path):
    monkeypatch.setattr(month, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"streamlit is not installed.*'\.\[dashboard\]'"):
        month.play(tmp_path / "home", NIGHTS, 8501)
    assert not (tmp_path / "home").exists()
