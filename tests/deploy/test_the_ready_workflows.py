"""The workflow files as far as one machine can run them: parsed strictly, their scripts run by bash."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from haetae.catalog.yaml_file import read_yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "ci"
FORK = "github.event.pull_request.head.repo.full_name == github.repository"
REPORT = "<!-- haetae gate -->\n\n### ✓ Pass: first"
RECORD = '#!/bin/sh\nprintf "%s\\n" "$@" >> "$CALLS"\necho "---" >> "$CALLS"\n'


def parsed(name: str) -> dict[str, Any]:
    document = read_yaml(FOLDER / name, name)
    assert document.problems == []
    return document.value


GITHUB = parsed("github.yml")
GITLAB = {name: job for name, job in parsed("gitlab-ci.yml").items() if name != "variables"}


def steps(job: str) -> Iterator[dict[str, Any]]:
    return iter(GITHUB["jobs"][job]["steps"])


def script_of(job: str, words: str) -> str:
    """The script of a job's step that says these words."""
    found: list[str] = [step["run"] for step in steps(job) if words in step.get("run", "")]
    assert len(found) == 1
    return found[0]


def scripts() -> dict[str, str]:
    ours = {f"github/{job}/{n}": s["run"] for job in GITHUB["jobs"] for n, s in enumerate(steps(job)) if "run" in s}
    return ours | {f"gitlab/{job}/{n}": s for job, spec in GITLAB.items() for n, s in enumerate(spec["script"])}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A first suite in a folder of its own, as `haetae init` makes it."""
    done = run("haetae init project", tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path / "project"


def run(script: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """A script as GitHub runs it, with what the job's environment holds."""
    path = os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    home = {"HOME": str(folder), "HAETAE_HOME": str(folder / ".haetae"), "SUITE": "suite.yaml", "LANG": "C.UTF-8"}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(
        command, cwd=folder, env={"PATH": path, **home, **env}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("name", "script"), scripts().items(), ids=str)
def test_every_script_is_bash_and_takes_what_it_knows_from_the_environment(name: str, script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "${{" not in script  # a title or a branch would be run as code


def test_actions_are_pinned_by_commit_and_say_their_version() -> None:
    used = re.findall(r"uses: (.*)", (FOLDER / "github.yml").read_text())
    assert used
    for line in used:
        assert re.fullmatch(r"actions/[a-z-]+(/[a-z]+)?@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
    for step in (step for job in GITHUB["jobs"] for step in steps(job)):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_each_job_may_do_no_more_than_it_must() -> None:
    assert GITHUB["permissions"] == {}
    assert {name: job["permissions"] for name, job in GITHUB["jobs"].items()} == {
        "gate": {"contents": "read"},
        "comment": {"pull-requests": "write"},
        "fork": {},
        "baseline": {"contents": "read"},
    }
    assert not any(step.get("uses", "").startswith("actions/checkout@") for step in steps("comment"))


def test_only_the_steps_that_run_the_suite_see_secrets_and_no_fork_does() -> None:  # GAT-13
    for job in GITHUB["jobs"].values():
        rest = json.dumps({key: value for key, value in job.items() if key != "steps"})
        assert "${{ secrets." not in rest
        seeing = [step for step in job["steps"] if "${{ secrets." in json.dumps(step)]
        assert all("haetae " in step["run"] for step in seeing)
        if seeing:
            assert FORK in job["if"] or job["if"].startswith("github.event_name == 'workflow_dispatch'")
    assert "pull_request_target" not in GITHUB["on"]
    assert FORK.replace("==", "!=") in GITHUB["jobs"]["fork"]["if"]


def installing() -> dict[str, str]:
    """The scripts that install haetae."""
    return {name: script for name, script in scripts().items() if "pip install" in script}


def test_no_job_installs_haetae_by_a_name_that_is_somebody_elses() -> None:
    assert len(installing()) == 4
    for script in installing().values():
        assert re.findall(r"pip install(?: --quiet)? (\S+)", script) == ['"${HAETAE_INSTALL:?names']
    assert GITHUB["env"]["HAETAE_INSTALL"] == ""  # whoever copies the file says where haetae comes from
    assert parsed("gitlab-ci.yml")["variables"]["HAETAE_INSTALL"] == ""


@pytest.mark.parametrize(("name", "script"), installing().items(), ids=str)
def test_what_is_installed_is_what_was_named_and_nothing_where_nothing_was(
    name: str, script: str, tmp_path: Path
) -> None:
    tool(tmp_path, "python", "")
    calls, checkout = tmp_path / "calls", f"{FOLDER.parents[1]}[postgres]"
    unset = run(script, tmp_path, CALLS=str(calls), HAETAE_INSTALL="")
    assert unset.returncode != 0
    assert "HAETAE_INSTALL: names no source of haetae yet: set it" in unset.stderr
    assert not calls.exists()
    done = run(script, tmp_path, CALLS=str(calls), HAETAE_INSTALL=checkout)
    assert done.returncode == 0, done.stderr
    assert calls.read_text().splitlines()[-2:] == [checkout, "---"]


def test_a_fork_is_told_why_it_is_not_gated_and_nothing_is_red(tmp_path: Path) -> None:  # GAT-13
    summary = tmp_path / "summary.md"
    done = run(script_of("fork", "Not gated"), tmp_path, GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 0
    assert done.stdout.startswith("::notice title=haetae::Not gated: a pull request from a fork gets no secrets.")
    assert summary.read_text().startswith("Not gated: ")
    (script,) = GITLAB["haetae-fork"]["script"]
    gitlab = run(script, tmp_path)
    assert gitlab.returncode == GITLAB["haetae-fork"]["allow_failure"]["exit_codes"] == 77
    assert gitlab.stdout.startswith("Not gated: ")


def test_the_gate_on_github_from_the_first_run_to_a_regression(project: Path) -> None:
    gate, summary = script_of("gate", "haetae gate"), project / "summary.md"
    first = run(gate, project, GITHUB_STEP_SUMMARY=str(summary))
    assert first.returncode == 3, first.stderr
    assert "No baseline 'production'" in summary.read_text()
    promoted = run(script_of("baseline", "haetae promote"), project)
    assert promoted.returncode == 0, promoted.stderr
    assert "is now the baseline 'production' of first" in promoted.stdout
    same = run(gate, project, GITHUB_STEP_SUMMARY=str(summary))
    assert same.returncode == 0, same.stdout + same.stderr
    assert "::error" not in same.stdout
    worsen(project)
    worse = run(gate, project, GITHUB_STEP_SUMMARY=str(summary))
    assert worse.returncode == 1, worse.stdout + worse.stderr
    assert "### ✗ Regression: first" in summary.read_text()
    (line,) = [
        n for n, said in enumerate((project / "suite.yaml").read_text().splitlines(), 1) if said.startswith("    f1: {")
    ]
    assert f"\n::error file=suite.yaml,line={line},title=first%3A regression%3A f1::f1 fell by" in worse.stdout
    assert '<failure type="regression"' in (project / "reports" / "haetae.xml").read_text()


@pytest.mark.parametrize(("died", "code"), [(1, 3), (3, 3), (137, 137)])
def test_a_gate_that_dies_before_its_report_is_no_regression(died: int, code: int, tmp_path: Path) -> None:  # GAT-14
    tool(tmp_path, "haetae", f"exit {died}\n")
    summary = tmp_path / "summary.md"
    done = run(
        script_of("gate", "haetae gate"), tmp_path, CALLS=str(tmp_path / "calls"), GITHUB_STEP_SUMMARY=str(summary)
    )
    assert done.returncode == code
    assert summary.read_text() == f"No verdict: the gate ended with {died} before it could write its report.\n"


def test_the_gate_on_gitlab_from_the_baseline_to_a_regression(project: Path) -> None:
    installing, *baseline = GITLAB["haetae-baseline"]["script"]
    assert "pip install" in installing
    promoted = run("\n".join(baseline), project)
    assert promoted.returncode == 0, promoted.stderr
    worsen(project)
    installing, gate = GITLAB["haetae"]["script"]
    worse = run(gate, project)
    assert worse.returncode == 1, worse.stdout + worse.stderr
    assert GITLAB["haetae"]["artifacts"]["reports"]["junit"] == "reports/haetae.xml"
    assert (project / "reports" / "haetae.md").read_text().startswith("<!-- haetae gate -->\n")
    assert '<failure type="regression"' in (project / "reports" / "haetae.xml").read_text()


@pytest.mark.parametrize(("old", "asked"), [("", ["pr", "comment", "7"]), ("12", ["api", "--silent", "--method"])])
def test_the_comment_on_github_is_written_once_and_then_replaced(old: str, asked: list[str], tmp_path: Path) -> None:
    tool(tmp_path, "gh", f'case "$*" in *--paginate*) echo "{old}";; esac\n')
    calls = tmp_path / "calls"
    done = run(script_of("comment", "gh api"), tmp_path, CALLS=str(calls), REPOSITORY="o/r", NUMBER="7")
    assert done.returncode == 0, done.stderr
    looked, wrote = (call.split("\n") for call in calls.read_text().strip().removesuffix("\n---").split("\n---\n"))
    assert looked[:3] == ["api", "--paginate", "repos/o/r/issues/7/comments"]
    assert wrote[:3] == asked
    assert any(word.endswith("reports/haetae.md") for word in wrote)


@pytest.mark.parametrize(("notes", "method"), [([], "POST"), ([{"id": 12, "body": REPORT}], "PUT")])
def test_the_note_on_gitlab_is_written_once_and_then_replaced(notes: list[Any], method: str, tmp_path: Path) -> None:
    tool(tmp_path, "curl", 'case "$*" in *per_page*) printf %s "$NOTES";; esac\n')
    calls, env = tmp_path / "calls", {"CI_API_V4_URL": "u", "CI_PROJECT_ID": "1", "CI_MERGE_REQUEST_IID": "7"}
    script = "\n".join(GITLAB["haetae-note"]["script"])
    done = run(script, tmp_path, CALLS=str(calls), NOTES=json.dumps(notes), HAETAE_NOTE_TOKEN="t", **env)
    assert done.returncode == 0, done.stderr
    wrote = calls.read_text().strip().removesuffix("\n---").split("\n---\n")[-1].split("\n")
    assert wrote[wrote.index("--request") + 1] == method
    assert wrote[-1] == ("u/projects/1/merge_requests/7/notes/12" if notes else "u/projects/1/merge_requests/7/notes")


def tool(folder: Path, name: str, answer: str) -> None:
    """A program of this name that records its arguments and answers."""
    (folder / "bin").mkdir(exist_ok=True)
    file = folder / "bin" / name
    file.write_text(RECORD + answer)
    file.chmod(0o755)


def worsen(project: Path) -> None:
    """Make most recorded answers wrong."""
    rows = [json.loads(line) for line in (project / "outputs.jsonl").read_text().splitlines()]
    for row in rows[4:]:
        row["output"] = "모르겠습니다"
    (project / "outputs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
