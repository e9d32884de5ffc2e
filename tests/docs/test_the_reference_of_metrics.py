"""docs/metrics.md is what the code of the metrics says today, and its examples are lines of a suite."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from haetae.metrics.about import ABOUT
from haetae.workbench.metric_pages import listed

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "metrics.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_the_page_is_what_the_command_prints():
    script = "import sys; from haetae.cli.main import main; sys.argv = ['haetae', 'metrics', '--markdown']; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == PAGE, "make it again: haetae metrics --markdown > docs/metrics.md"


def test_every_metric_has_a_section_and_a_line_in_korean():
    names = set(listed())
    assert names == SECTIONS.keys() == ABOUT.keys()
    assert [name for name, about in ABOUT.items() if not re.search("[가-힣]", about.korean or "")] == []


def test_the_korean_lines_speak_the_words_of_the_korean_readme():
    readme = (ROOT / "README.ko.md").read_text("utf-8")
    said = " ".join(about.korean or "" for about in ABOUT.values())
    for word, other in (("심판", "심사"), ("루브릭", "채점 기준"), ("단계 수", "걸음 수")):
        assert word in readme
        assert word in said
        assert other not in said


@pytest.mark.parametrize("name", SECTIONS)
def test_an_example_is_a_line_of_a_suite_that_makes_the_metric(name):
    (line,) = re.findall(r"^```yaml\n(.*)\n```$", SECTIONS[name], re.MULTILINE)
    assert yaml.safe_load(line) == {name: ABOUT[name].example}
    known = re.findall(rf"^`({name}\b[^`]*)` · (.*)$", SECTIONS[name], re.MULTILINE)
    if name in ("evaluate", "function"):  # their facts are those of the code that they name
        assert known == []
    else:
        ((_, said),) = known
        assert re.search(r"(higher|lower) is better", said)
