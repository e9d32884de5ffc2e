"""What the documents say is so: their examples run, their links lead somewhere, their commands exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from haetae.catalog.suite_file import load_suite

ROOT = Path(__file__).parents[2]
READMES = ["README.md", "README.ko.md"]
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/*.md", "datasets/*/*.md", "deploy/**/*.md", "tests/bench/*.md")
    for path in ROOT.glob(pattern)
)
_BLOCK = re.compile(r"^(<!-- run -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^`([\w.]+)`[^`\n]*:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A file that is shown in full: its name and its content."""
_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
_EXIT = re.compile(r"#.*\bexit ([0-3])\b")


@dataclass(frozen=True)
class Block:
    """A fenced block of a document: `where` is its file and line; `marked` blocks are promised to run as they stand."""

    where: str
    marked: bool
    language: str
    code: str

    @property
    def bare(self) -> list[str]:
        """Its lines without their comments, which may be in any language."""
        return [re.sub(r"\s*(?<!\S)#.*$", "", line) for line in self.code.splitlines()]


def text(document: str) -> str:
    return (ROOT / document).read_text("utf-8")


def blocks(document: str) -> list[Block]:
    found = text(document)
    return [
        Block(f"{document}:{found.count(chr(10), 0, match.start()) + 1}", bool(match[1]), match[2], match[3])
        for match in _BLOCK.finditer(found)
    ]


def commands(block: Block) -> list[tuple[list[str], int]]:
    """What a marked block runs, and how each is to exit: 0, or as the line's comment says (`# exit 3`)."""
    if block.language == "python":
        return [([sys.executable, "-c", block.code], 0)]
    assert block.language == "console", f"{block.where}: a marked block is console or python"
    lines = block.code.splitlines()
    assert all(line.startswith("$ ") for line in lines), f"{block.where}: every line is a command after '$ '"
    return [
        (["bash", "-c", line.removeprefix("$ ")], int(said[1]) if (said := _EXIT.search(line)) else 0) for line in lines
    ]


@pytest.fixture
def newcomer(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has just installed: nothing set, nothing remembered."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HAETAE_", "PYTEST_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    return {**env, "PATH": path, "HAETAE_HOME": str(tmp_path / "home")}


@pytest.mark.parametrize("document", ["README.md", "datasets/starter/README.md", "datasets/agent/README.md"])
def test_the_marked_examples_run_in_order_and_exit_as_they_say(document, newcomer, tmp_path):
    folder, about = tmp_path / "work", (ROOT / document).parent
    folder.mkdir() if about == ROOT else shutil.copytree(about, folder)  # a suite's README speaks of its own folder
    marked = [block for block in blocks(document) if block.marked]
    assert marked, f"{document} has no marked example"
    for block in marked:
        for command, expected in commands(block):
            done = subprocess.run(command, cwd=folder, env=newcomer, capture_output=True, text=True, check=False)
            assert done.returncode == expected, f"{block.where}: {command[-1]}\n{done.stdout}\n{done.stderr}"


def test_the_suite_without_a_key_runs_on_the_files_that_are_shown(newcomer, tmp_path):
    shown = _FILE.findall(text("docs/suites.md"))
    assert [name for name, _ in shown] == [
        *("answerer.yaml", "judge.yaml", "ask.md", "polite.md", "rows.jsonl", "suite.yaml")
    ]
    serving = [sys.executable, "-m", "haetae.demo.server", "--port", "0"]
    with subprocess.Popen(serving, env=newcomer, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = server.stdout.readline().split()[-1]
            for name, content in shown:
                (tmp_path / name).write_text(content.replace("http://127.0.0.1:8765/v1", url), "utf-8")
            (console,) = [block for block in blocks("docs/suites.md") if block.marked]
            for command, expected in commands(console):
                done = subprocess.run(command, cwd=tmp_path, env=newcomer, capture_output=True, text=True, check=False)
                assert done.returncode == expected, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
        finally:
            server.terminate()
    assert re.findall(r"^\S* ?(INCONCLUSIVE|PASS|REGRESSION|NO VERDICT)", done.stdout, re.MULTILINE) == ["INCONCLUSIVE"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_nobody_is_told_to_install_haetae_by_its_bare_name(document):
    """On the public index it is somebody else's."""
    assert not re.findall(r"(?:pip install|uv add|pipx install)[^\n`]* '?haetae\b(?! ?@)", text(document))


@pytest.mark.parametrize("document", READMES)
def test_the_extras_that_are_named_are_the_ones_there_are(document):
    named = re.search(r"^[^#\n]*extras\)?: ([a-z, -]+)\.$", text(document), re.MULTILINE | re.IGNORECASE)
    extras = tomllib.loads(text("pyproject.toml"))["project"]["optional-dependencies"]
    assert named is not None
    assert set(named[1].split(", ")) == set(extras) - {"test", "lint"}


@pytest.mark.parametrize("document", READMES)
def test_the_suites_that_are_shown_are_suites(document, tmp_path):
    shown = [block for block in blocks(document) if block.language == "yaml" and block.code.startswith("suite:")]
    assert shown, f"{document} shows no suite"
    for block in shown:
        (tmp_path / "suite.yaml").write_text(block.code, "utf-8")
        assert load_suite(tmp_path / "suite.yaml", {}).suite.metrics, block.where


def test_both_languages_show_the_same_code_the_same_exits_and_the_same_pictures():
    """So what runs in one runs in the other."""
    english, korean = (blocks(document) for document in READMES)
    for one, other in zip(english, korean, strict=True):
        assert (one.marked, one.language, one.bare) == (other.marked, other.language, other.bare), other.where
        assert _EXIT.findall(one.code) == _EXIT.findall(other.code), other.where
    links = [_LINK.findall(text(document)) for document in READMES]
    assert links[0][1:] == links[1][1:]  # the first is the way to the other language


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_into_the_repository_leads_somewhere(document):
    inside = [link for link in _LINK.findall(text(document)) if "://" not in link]
    missing = [link for link in inside if not ((ROOT / document).parent / link).exists()]
    assert not missing, f"{document}: {missing}"


@pytest.mark.parametrize("document", READMES)
def test_the_table_of_commands_is_the_help(document):
    table = re.findall(r"^\| (`[a-z` ]+`) \|", text(document), re.MULTILINE)
    named = [name for row in table for name in re.findall(r"[a-z]+", row)]
    assert len(named) == len(set(named))
    assert set(known_commands()) == set(named), document


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_targets_and_settings_that_are_named_exist(document):
    said = text(document)
    code = "\n".join([*re.findall(r"`([^`\n]+)`", said), *(block.code for block in blocks(document))])
    code += "\n".join(re.findall(r"^ {4}(\S.*)$", said, re.MULTILINE))
    targets = re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE)
    readers = [ROOT / "tests/conftest.py", *ROOT.glob("platform/**/*.py"), *ROOT.glob("dashboards/*.py")]
    readers += [path for path in ROOT.glob("deploy/**/*") if path.suffix in (".yml", ".yaml", ".sh")]
    settings = re.findall(r"\bHAETAE_[A-Z_]*[A-Z]\b", "".join(path.read_text("utf-8") for path in readers))
    assert set(re.findall(r"^(?:\$ )?haetae ([a-z]+)\b", code, re.MULTILINE)) <= set(known_commands())
    assert set(re.findall(r"^make ([a-z]+)\b", code, re.MULTILINE)) <= set(targets)
    assert set(re.findall(r"\bHAETAE_[A-Z_]*[A-Z]\b", said)) <= set(settings)


def test_the_table_of_verdicts_says_how_the_gate_exits():
    """The same codes as `haetae --help` tells."""
    codes = dict(re.findall(r"^\| (pass|regression|no verdict) \|.*\| (\d) \|$", text("README.md"), re.MULTILINE))
    told = re.search(r"Exit codes: (.+?)\.", help_text().replace("\n", " "))
    assert told is not None
    assert {word: code for code, word in re.findall(r"(\d) ([a-z ]+)", told[1]) if word in codes} == codes
    assert len(codes) == 3


def help_text() -> str:
    script = "from haetae.cli.main import main; main()"
    return subprocess.run([sys.executable, "-c", script, "--help"], capture_output=True, text=True, check=True).stdout


def known_commands() -> list[str]:
    """The commands that `haetae --help` lists."""
    listed = help_text().partition("Commands:\n")[2]
    names = re.findall(r"^  ([a-z][a-z-]*)  ", listed, re.MULTILINE)
    assert len(names) > 10, listed
    return names
