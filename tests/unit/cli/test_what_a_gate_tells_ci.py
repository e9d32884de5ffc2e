"""JUnit, Markdown and annotations of both gates: whole files, whatever the gate came to."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from haetae import Workbench
from haetae.cli.main import haetae as command_line
from haetae.engine.contained import Left
from haetae.errors import ConfigError, Problem, StoreError

ALL = ("--quiet", "--junit", "out/junit.xml", "--markdown", "out/gate.md", "--annotations")


def outcomes(shop: Any) -> dict[str, str]:
    """By test case, the element that tells its outcome, "" for a pass."""
    cases = ElementTree.parse(shop.folder / "out" / "junit.xml").iter("testcase")  # noqa: S314  # a file of our own
    told = {case.get("name", ""): [e.tag for e in case if e.tag in ("failure", "error", "skipped")] for case in cases}
    return {name: "".join(tags) for name, tags in told.items()}


def page(shop: Any) -> str:
    return (shop.folder / "out" / "gate.md").read_text(encoding="utf-8")


@pytest.fixture
def promoted(shop: Any) -> Any:
    """A shop whose first run, all right, is the baseline."""
    shop.call("run", "suite.yaml", "--quiet")
    shop.call("promote", "shop.1")
    return shop


def test_a_regression_is_told_everywhere_and_still_exits_1(promoted: Any) -> None:
    promoted.write(right=20)
    said = promoted.call("gate", "suite.yaml", *ALL)
    assert said.code == 1
    assert outcomes(promoted) == {"right": "failure"}
    assert "### ✗ Regression: shop\n\n**right fell by 66.7 points" in page(promoted)
    assert "```sh\nhaetae gate suite.yaml\n```" in page(promoted)
    assert "\n::error file=suite.yaml,line=8,title=shop%3A regression%3A right::right fell by" in said.out
    assert sorted(path.name for path in (promoted.folder / "out").iterdir()) == ["gate.md", "junit.xml"]


def test_the_command_that_reproduces_a_gate_is_as_strict_as_it_was(promoted: Any) -> None:
    promoted.call("gate", "suite.yaml", "--strict", *ALL)
    assert "```sh\nhaetae gate suite.yaml --strict\n```" in page(promoted)


def test_github_obeys_no_line_of_the_text(shop: Any) -> None:  # SEC-19
    hostile = "::add-mask::right"
    for right in (60, 0):
        shop.write(right=right)
        for name in ("samples.jsonl", "outputs.jsonl"):
            text = (shop.folder / name).read_text()
            (shop.folder / name).write_text(text.replace('"s0"', json.dumps(hostile)))
        said = shop.call("gate", "suite.yaml", *ALL)
        if right:
            shop.call("promote", "shop.1")
    lines = [line.strip() for line in said.out.splitlines()]
    token = lines[0].removeprefix("::stop-commands::")
    assert len(token) == 32
    obeyed = lines.index(f"::{token}::")
    assert any(line.startswith(f"'{hostile}'") for line in lines[:obeyed])
    assert not any(line.startswith("::add-mask") for line in lines)
    assert token not in shop.call("gate", "suite.yaml", *ALL).out


def test_no_baseline_is_an_error_and_a_warning(shop: Any) -> None:  # GAT-01
    said = shop.call("gate", "suite.yaml", *ALL)
    assert said.code == 3
    assert outcomes(shop) == {"right": "error"}
    assert "### – No verdict: shop" in page(shop)
    assert "::warning file=suite.yaml,line=8,title=shop%3A no verdict%3A right::No baseline" in said.out


def test_a_wrong_suite_is_told_at_its_places_and_exits_2(shop: Any) -> None:  # GAT-14
    shop.suite.write_text(shop.suite.read_text().replace("max_drop: 0.1", "max_dorp: 0.1"))
    said = shop.call("gate", "suite.yaml", *ALL, "--json")
    assert said.code == 2
    assert outcomes(shop) == {"gate": "error"}
    assert said.json["exit_code"] == 2
    assert "::error file=suite.yaml,line=8,title=suite.yaml::" in said.err
    assert "max\\_dorp" in page(shop)


@pytest.mark.parametrize("error", [StoreError("the disk is full"), RuntimeError("nobody foresaw this")])
def test_a_crash_leaves_valid_files_that_say_so(promoted: Any, error: Exception, monkeypatch: Any) -> None:  # GAT-14
    promoted.call("gate", "suite.yaml", *ALL)
    assert outcomes(promoted) == {"right": ""}

    def crash(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(Workbench, "gate", crash)
    with pytest.raises(type(error)):
        command_line.main(["gate", "suite.yaml", *ALL, "--json", "out/gate.json"], standalone_mode=False)
    assert outcomes(promoted) == {"gate": "error"}
    assert f"{type(error).__name__}: {error}" in page(promoted)
    assert json.loads((promoted.folder / "out" / "gate.json").read_text())["exit_code"] == 3


def test_a_gate_that_is_killed_leaves_no_older_verdict(promoted: Any, monkeypatch: Any) -> None:  # GAT-14
    promoted.call("gate", "suite.yaml", *ALL)

    def die(*_: Any, **__: Any) -> None:
        raise SystemExit(137)

    monkeypatch.setattr(Workbench, "gate", die)
    (promoted.folder / "gate.json").write_text('{"verdict": "pass"}')
    with pytest.raises(Left):
        command_line.main(["gate", "suite.yaml", *ALL, "--json", "gate.json"], standalone_mode=False)
    assert outcomes(promoted) == {"gate": "error"}
    document = json.loads((promoted.folder / "gate.json").read_text())
    assert (document["verdict"], document["exit_code"]) == ("no verdict", 3)
    assert "did not come to its end" in document["error"]
    assert "The gate did not come to its end" in page(promoted)


def test_a_job_without_secrets_is_skipped_with_the_reason(shop: Any, monkeypatch: Any) -> None:  # GAT-13
    def lack(*_: Any, **__: Any) -> None:
        raise ConfigError(Problem("needs the environment variable SHOP_KEY", "suite.yaml", 3, 1, variable="SHOP_KEY"))

    monkeypatch.setattr(Workbench, "gate", lack)
    monkeypatch.setenv("GITHUB_EVENT_NAME", "pull_request")
    said = shop.call("gate", "suite.yaml", *ALL, "--skip-without-secrets")
    assert said.code == 0
    assert outcomes(shop) == {"gate": "skipped"}
    assert "### – Skipped: suite.yaml" in page(shop)
    assert "::notice title=suite.yaml::this pull request's job has no SHOP_KEY" in said.out


def test_markdown_can_be_printed_beside_a_json_file_but_not_two_documents_at_once(promoted: Any) -> None:
    said = promoted.call("gate", "suite.yaml", "--quiet", "--markdown", "-", "--json", "gate.json")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("<!-- haetae gate -->\n\n### ✓ Pass: shop\n")
    assert json.loads((promoted.folder / "gate.json").read_text())["verdict"] == "pass"
    both = promoted.call("gate", "suite.yaml", "--json", "--markdown", "-")
    assert (both.code, both.out) == (2, "")
    assert "--json and --markdown - both print" in both.err
    wrong = promoted.call("gate", "nothing.yaml", "--markdown", "-")
    assert wrong.code == 2
    assert "### – No verdict: nothing.yaml" in wrong.out


@pytest.mark.parametrize("option", ["--junit", "--markdown"])
def test_no_suite_is_written_over(shop: Any, option: str) -> None:
    before = shop.suite.read_text()
    said = shop.call("gate", "suite.yaml", option, "suite.yaml")
    assert said.code == 2
    assert "'suite.yaml' does not end in " in said.err
    assert shop.suite.read_text() == before


@pytest.mark.parametrize(
    ("option", "file", "text"),
    [
        ("--markdown", "README.md", "# Shop\n"),
        ("--junit", "pytest.xml", '<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"/>'),
    ],
)
def test_no_file_of_anyone_else_is_written_over(option: str, file: str, text: str, shop: Any) -> None:
    (shop.folder / file).write_text(text)
    said = shop.call("gate", "suite.yaml", option, file)
    assert said.code == 2
    assert f"'{file}' exists and is no report of haetae" in " ".join(said.err.split())
    assert (shop.folder / file).read_text() == text
    (shop.folder / file).write_text("")
    assert shop.call("gate", "suite.yaml", "--quiet", option, file).code == 3  # no baseline
    assert shop.call("gate", "suite.yaml", "--quiet", option, file).code == 3


@pytest.mark.parametrize("option", [("--json", "gate.json"), ("--markdown", "gate.md"), ("--junit", "gate.xml")])
def test_a_report_goes_into_no_pipe(option: tuple[str, str], shop: Any) -> None:
    """To look into one would wait for ever."""
    os.mkfifo(shop.folder / option[1])
    said = shop.call("gate", "suite.yaml", *option)
    assert said.code == 2
    assert "another" in said.err


def test_a_folder_that_cannot_be_written_is_found_before_anything_is_asked(shop: Any) -> None:
    (shop.folder / "out").write_text("a file")
    said = shop.call("gate", "suite.yaml", *ALL)
    assert said.code == 3
    assert shop.call("list", "runs", "--json").json == []


def test_score_files_are_told_in_the_same_forms(shop: Any) -> None:
    for name, share in (("before", 0.9), ("after", 0.4)):
        rows = [{"id": f"s{n}", "metric": "right", "score": float(n < 100 * share)} for n in range(100)]
        (shop.folder / f"{name} it.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = ("--baseline-scores", "before it.jsonl", "--candidate-scores", "after it.jsonl")
    rules = ("--margin", "0.1", "--scale-of", "right=0:1", "--alpha", "0.01")
    said = shop.call("gate", *files, *rules, *ALL[1:])
    assert said.code == 1
    assert outcomes(shop) == {"right": "failure"}
    assert "\n::error title=after it.jsonl%3A regression%3A right::right fell by 50.0 points" in said.out
    again = page(shop).split("```sh\n")[1].split("\n```")[0]
    assert again == (
        "haetae gate --baseline-scores 'before it.jsonl' --candidate-scores 'after it.jsonl' --margin 0.1 "
        "--alpha 0.01 --scale-of right=0.0:1.0"
    )
    assert shop.call(*shlex.split(again)[1:]).out.splitlines()[1] == said.out.splitlines()[2]


def test_a_gate_without_these_options_loads_none_of_their_modules(promoted: Any, monkeypatch: Any) -> None:
    import sys

    for name in ("junit", "markdown", "annotations"):
        monkeypatch.delitem(sys.modules, f"haetae.workbench.ci.{name}", raising=False)
    assert promoted.call("gate", "suite.yaml", "--quiet").code == 0
    assert not {f"haetae.workbench.ci.{name}" for name in ("junit", "markdown", "annotations")} & sys.modules.keys()
    assert not Path(promoted.folder / "out").exists()
