"""A version is promoted through the gates of the suites that use it; a run only where its verdict allows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from haetae.core.verdict import Verdict
from haetae.errors import ConfigError, RegistryError, StoreError

PROGRAM = "import sys; sys.argv[0] = 'haetae'; from haetae.cli.main import main; main()"


def _haetae(project: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **project.settings.env, "PREFECT_API_URL": ""}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=project.folder)


SUITE = """\
suite: {name}
dataset: samples.jsonl
target: {{ model: llm@production, prompt: ask@production }}
metrics: {{ chrf: chrf }}
gate: {{ metrics: {{ chrf: {{ max_drop: 0.05 }} }} }}
"""


@pytest.fixture
def project(project: Any, server: Any, replies: Any) -> Any:
    """Two suites on llm@production with their baselines; a candidate, `m-good`, that answers as well, and `m-bad`."""
    folder = project.folder
    text = (folder / "llm.yaml").read_text()

    def answer(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        asked = body["messages"][-1]["content"]
        return replies.completed("no" if body["model"] == "m-bad" else f"answer to {asked}")  # type: ignore[no-any-return]  # a pair

    server.answer = answer
    project.write_samples(60)
    project.suite.unlink()
    (folder / "suites").mkdir()
    for name in ("shop", "docs"):
        (folder / f"{name}.yaml").write_text(SUITE.format(name=name))
    with project.bench() as bench:
        bench.alias("model", "llm@1", "production")
        for number, model in ((2, "m-good"), (3, "m-bad")):
            (folder / "llm.yaml").write_text(text.replace("model: m\n", f"model: {model}\n"))
            assert bench.register("model", folder / "llm.yaml")[0].number == number
        bench.alias("model", "llm@2", "candidate")
        for name in ("shop", "docs"):
            bench.promote(bench.run(folder / f"{name}.yaml").run.id)
    server.bodies.clear()
    return project


def production(bench: Any) -> int:
    return int(bench.version("model", "llm@production").number)


def test_the_alias_moves_where_every_suite_that_uses_it_passes(project: Any) -> None:
    with project.bench() as bench:
        said = bench.promote_version("model", "llm@candidate", "production", [project.folder])
        assert [gated.verdict for gated in said.gated] == [Verdict.PASS, Verdict.PASS]
        assert (production(bench), said.exit_code) == (2, 0)
        move = bench.moves("model", "llm")[0]
    assert (move.by, move.before, move.number, move.reason) == ("promote", 1, 2, None)
    assert move.verdicts == {"docs.2": "pass", "shop.2": "pass"}
    assert "llm@production: 1 → 2" in said.text


def test_the_baselines_stay_unless_they_are_asked_to_move(project: Any) -> None:
    with project.bench() as bench:
        bench.promote_version("model", "llm@2", "production", [project.folder])
        assert bench.ledger.baseline("shop", "production").id == "shop.1"
        bench.alias("model", "llm@1", "production")
        moved = bench.promote_version("model", "llm@2", "production", [project.folder], baseline=True)
        assert bench.ledger.baseline("shop", "production").id == moved.gated[1].report.run.id
    assert "is the baseline now" in moved.text


def test_one_regression_holds_the_alias_where_it_is(project: Any) -> None:
    with project.bench() as bench:
        said = bench.promote_version("model", "llm@3", "production", [project.folder])
        assert (production(bench), said.exit_code) == (1, 1)
        assert bench.moves("model", "llm")[0].alias == "candidate"
    assert "✗ shop: REGRESSION" in said.text
    assert "llm@production stays at 1: 2 of 2 suites did not pass" in said.text


def test_it_is_overruled_with_a_reason_that_is_kept(project: Any) -> None:
    lacking = _haetae(project, "promote", "model", "llm@3", "production", "--force")
    assert (lacking.returncode, "--force needs --reason" in lacking.stderr) == (2, True)
    forced = _haetae(
        project, "promote", "model", "llm@3", "production", "--force", "--reason", "비상: 값이 싸다", "--quiet"
    )
    assert forced.returncode == 0, forced.stderr
    assert "llm@production: 1 → 3 (overruled: 비상: 값이 싸다)" in forced.stdout
    listed = json.loads(_haetae(project, "list", "moves", "--json").stdout)[0]
    assert (listed["by"], listed["reason"]) == ("promote", "비상: 값이 싸다")
    assert listed["verdicts"] == "docs.2 regression, shop.2 regression"


UNSEEN = ["", "  \n", "\u200b", "\u2060\u3164\u2800", "\u0301"]


@pytest.mark.parametrize("reason", UNSEEN)
def test_a_reason_that_nobody_can_read_overrules_nothing(project: Any, reason: str) -> None:
    with project.bench() as bench:
        said = bench.promote_version("model", "llm@3", "production", [project.folder], reason=reason)
        assert (production(bench), said.exit_code) == (1, 1)
        with pytest.raises(ConfigError, match="no suite in"):
            bench.promote_version("model", "llm@3", "production", [project.folder / "suites"], reason=reason)
        with pytest.raises(ConfigError, match="does not become the baseline"):
            bench.promote(said.gated[1].report.run.id, reason=reason)
    refused = _haetae(project, "promote", "model", "llm@3", "production", "--force", "--reason", reason)
    assert (refused.returncode, "--force needs --reason" in refused.stderr) == (2, True)


def test_a_reason_of_several_lines_is_kept_on_one(project: Any) -> None:
    with project.bench() as bench:
        worse = bench.gate(project.folder / "shop.yaml", model="llm@3").run.id
    reason = ("--force", "--reason", " it is cheaper\r\nand  faster\u2028")
    assert _haetae(project, "promote", "model", "llm@3", "production", *reason, "--quiet").returncode == 0
    assert _haetae(project, "promote", worse, *reason).returncode == 0
    for listed in ("moves", "baselines"):
        _, newest, *_ = _haetae(project, "list", listed).stdout.split("\n")
        assert newest.endswith("it is cheaper and faster")


def test_what_no_suite_uses_is_not_promoted_unseen(project: Any) -> None:
    with project.bench() as bench:
        with pytest.raises(ConfigError, match=r"no suite in .*suites uses model llm@production"):
            bench.promote_version("model", "llm@2", "production", [project.folder / "suites"])
        bench.promote_version("model", "llm@2", "production", [project.folder / "suites"], reason="tried by hand")
        assert bench.moves()[0].reason == "tried by hand"


def test_a_suite_that_it_judges_cannot_be_gated(project: Any, server: Any) -> None:
    text = SUITE.format(name="judged").replace("llm@production", "grader")
    text = text.replace("chrf: chrf }", 'polite: { judge: polite.md, model: "llm@production", scale: [0, 1] } }', 1)
    (project.folder / "suites" / "judged.yaml").write_text(text.replace("chrf: { max", "polite: { max"))
    with project.bench() as bench:
        said = bench.promote_version("model", "llm@2", "production", [project.folder / "suites"])
        assert (production(bench), said.exit_code) == (1, 3)
    assert "the suite uses it in metrics.polite.model" in said.text
    assert server.bodies == []


def test_a_suite_that_is_broken_may_use_it(project: Any) -> None:
    (project.folder / "suites" / "broken.yaml").write_text("suite: broken\ntarget: {}\n")
    with project.bench() as bench, pytest.raises(ConfigError, match=r"broken\.yaml"):
        bench.promote_version("model", "llm@2", "production", [project.folder])


def test_a_prompt_is_promoted_the_same_way(project: Any) -> None:
    (project.folder / "ask.md").write_text("please: q {{ input }}")
    with project.bench() as bench:
        candidate, _ = bench.register("prompt", project.folder / "ask.md")
        said = bench.promote_version("prompt", candidate.reference, "production", [project.folder])
    assert [gated.report.comparison.moved for gated in said.gated] == [("prompt",), ("prompt",)]
    assert all(gated.report.run.tags["target_prompt"] == candidate.reference for gated in said.gated)


@pytest.mark.parametrize(("moved", "to"), [("production", 3), ("candidate", 3)])
def test_whoever_was_faster_is_not_overtaken(project: Any, server: Any, moved: str, to: int) -> None:
    """The alias, or the candidate, is moved while the gates run."""
    with project.bench() as bench, project.bench() as another:
        server.noticed = lambda count: another.alias("model", f"llm@{to}", moved) if count == 5 else None
        with pytest.raises(RegistryError, match=r"it has moved\. Nothing was moved; the same command") as refused:
            bench.promote_version("model", "llm@candidate", "production", [project.folder])
        assert refused.value.exit_code == 3
        assert bench.version("model", f"llm@{moved}").number == to
        assert all(move.by == "alias" for move in bench.moves())


def test_a_kill_between_gate_and_move_moves_nothing_and_costs_nothing_again(project: Any, server: Any) -> None:
    killing = (
        "import os, sys\n"
        "from haetae.store.registry import Versions\n"
        "Versions.set_alias = lambda *a, **k: os._exit(137)\n"
        "sys.argv = ['haetae', 'promote', 'model', 'llm@candidate', 'production', '--quiet']\n"
        "from haetae.cli.main import main\n"
        "main()\n"
    )
    env = {**os.environ, **project.settings.env}
    died = subprocess.run([sys.executable, "-c", killing], env=env, check=False, cwd=project.folder)
    assert died.returncode == 137
    asked = len(server.bodies)
    assert asked == 60
    with project.bench() as bench:
        assert production(bench) == 1
        said = bench.promote_version("model", "llm@candidate", "production", [project.folder])
        assert (production(bench), said.exit_code) == (2, 0)
    assert len(server.bodies) == asked


# runs


def test_a_run_that_is_worse_does_not_become_the_baseline(project: Any) -> None:
    with project.bench() as bench:
        worse = bench.gate(project.folder / "shop.yaml", model="llm@3").run.id
    refused = _haetae(project, "promote", worse)
    assert refused.returncode == 1
    assert f"{worse} does not become the baseline 'production', which stays shop.1. Regression" in refused.stderr
    assert f"haetae promote {worse} --force --reason WHY" in refused.stderr
    forced = _haetae(project, "promote", worse, "--force", "--reason", "it costs a tenth")
    assert forced.returncode == 0, forced.stderr
    assert "its verdict overruled: it costs a tenth" in _haetae(project, "show", worse).stdout
    listed = json.loads(_haetae(project, "list", "baselines", "--suite", "shop", "--json").stdout)
    assert [(row["run"], row["reason"]) for row in listed] == [(worse, "it costs a tenth"), ("shop.1", "")]


def test_a_run_that_passed_becomes_it_and_keeps_no_reason(project: Any) -> None:
    with project.bench() as bench:
        passed = bench.gate(project.folder / "shop.yaml", model="llm@2").run.id
        bench.promote(passed, reason="not needed")
        assert bench.ledger.promotions("shop")[0].reason is None
        bench.promote(passed)  # the baseline itself


def test_nothing_shown_is_no_pass(project: Any) -> None:
    suite = project.folder / "shop.yaml"
    suite.write_text(suite.read_text() + "limit: 4\n")
    with project.bench() as bench:
        other = bench.run(suite).run.id  # on other data: no verdict
        with pytest.raises(ConfigError, match="No verdict: nothing can be said of it") as refused:
            bench.promote(other)
        assert refused.value.exit_code == 3
        bench.promote(other, "small")  # the first baseline of its name
        assert bench.ledger.baseline("shop", "small").id == other


def test_a_run_does_not_replace_a_baseline_that_it_was_not_compared_with(project: Any, monkeypatch: Any) -> None:
    """Another run becomes the baseline between the verdict and the promotion."""
    from haetae.workbench.registry import promoting_runs

    unhindered = promoting_runs.refusal
    with project.bench() as bench, project.bench() as another:
        second, third = (bench.run(project.folder / "shop.yaml", fresh=True).run.id for _ in range(2))

        def overtaken(*asked: Any) -> ConfigError | None:
            said = unhindered(*asked)
            monkeypatch.setattr(promoting_runs, "refusal", unhindered)
            another.promote(second)
            return said

        monkeypatch.setattr(promoting_runs, "refusal", overtaken)
        with pytest.raises(StoreError, match=f"of shop is {second} now and was shop.1: it has moved") as refused:
            bench.promote(third)
        assert refused.value.exit_code == 3
        assert bench.ledger.baseline("shop", "production").id == second
        bench.promote(third)  # the same command compares it with what is there now
        assert bench.ledger.baseline("shop", "production").id == third


def test_an_option_before_the_run_is_taken(project: Any) -> None:
    assert _haetae(project, "promote", "--baseline", "small", "shop.1").returncode == 0
    assert "RUN | model REF ALIAS" in _haetae(project, "promote", "--help").stdout
