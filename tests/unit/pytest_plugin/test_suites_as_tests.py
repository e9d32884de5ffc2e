"""The pytest door, seen from outside: pytest runs in a process of its own on a project with a suite."""

from __future__ import annotations

import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest

pytest_plugins = ["pytester"]

HAETAE = "--haetae"


def runs(bench_at, pytester):
    with bench_at(pytester.path) as bench:
        return [run.id for run in bench.ledger.runs("checkout")]


def test_nothing_is_collected_unless_asked(shop):
    shop.runpytest_subprocess().assert_outcomes()
    shop.runpytest_subprocess("checkout.eval.yaml").assert_outcomes()


def test_each_gated_metric_is_a_test(shop):
    result = shop.runpytest_subprocess(HAETAE, "--collect-only", "-q")
    result.stdout.fnmatch_lines([f"checkout.eval.yaml::{metric}" for metric in ("helpful", "correct", "polite")])
    assert not list(shop.path.glob(".haetae/*.db-journal"))


def test_an_ini_line_is_enough(shop):
    shop.makeini("[pytest]\nhaetae = true\n")
    shop.runpytest_subprocess("-k", "helpful").assert_outcomes(passed=1, deselected=2)


def test_a_pass_passes_a_regression_fails_and_the_inconclusive_is_skipped(shop, bench_at):
    result = shop.runpytest_subprocess(HAETAE)
    result.assert_outcomes(passed=1, failed=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "regression: correct fell by 33.3 points (95 % interval * to *); this is not noise. Tolerance: 10 points.",
            "*= haetae =*",
            "checkout.2",
            "  ✗ regression    correct  correct fell by 33.3 points (*",
            "  ✓ pass          helpful  helpful fell by 1.0 points (*",
            "  ? inconclusive  polite   polite * Not proven either way: * more samples would settle it.",
            "FAILED checkout.eval.yaml::correct*",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    assert "pytest_plugin.py" not in result.stdout.str()
    assert runs(bench_at, shop) == ["checkout.2", "checkout.1"]


def test_a_skip_points_at_the_line_of_the_gate(shop):
    result = shop.runpytest_subprocess(HAETAE, "-rs")
    result.stdout.fnmatch_lines(["SKIPPED [[]1[]] checkout.eval.yaml:13: inconclusive: polite *"])


def test_the_inconclusive_fails_when_strict(shop):
    shop.runpytest_subprocess(HAETAE, "--haetae-strict").assert_outcomes(passed=1, failed=2)


@pytest.mark.parametrize(("strict", "outcome"), [([], "skipped"), (["--haetae-strict"], "failed")])
def test_a_suite_without_a_baseline_is_never_a_silent_pass(shop, strict, outcome):
    suite = (shop.path / "checkout.eval.yaml").read_text()
    (shop.path / "checkout.eval.yaml").write_text(suite.replace("suite: checkout", "suite: newcomer"))
    result = shop.runpytest_subprocess(HAETAE, *strict)
    result.assert_outcomes(**{outcome: 3})
    result.stdout.fnmatch_lines(
        ["  – no verdict    correct  No baseline 'production' in */ledger.db; make one with: haetae promote *"]
    )


def test_what_withholds_a_pass_from_the_whole_withholds_it_from_each_metric(shop, bench_at):
    suite = (shop.path / "checkout.eval.yaml").read_text()
    kept = [line for line in suite.splitlines() if not line.startswith(("    correct", "    polite"))]
    (shop.path / "checkout.eval.yaml").write_text("\n".join([*kept, "  coverage: 0.5\n"]))
    with bench_at(shop.path) as bench:
        bench.promote(bench.run(shop.path / "checkout.eval.yaml").run.id)
    rows = (shop.path / "outputs.jsonl").read_text().splitlines()
    failed = [row.replace('"helpful": 0.79, ', "") if number < 12 else row for number, row in enumerate(rows)]
    (shop.path / "outputs.jsonl").write_text("\n".join(failed))
    result = shop.runpytest_subprocess(HAETAE)
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        ["  ? inconclusive  helpful  The numbers would pass, but errors on one side withhold it."]
    )


def test_under_xdist_there_is_one_run_and_the_same_text(shop, bench_at):
    alone = shop.runpytest_subprocess(HAETAE, "-q")
    assert runs(bench_at, shop) == ["checkout.2", "checkout.1"]
    shared = shop.runpytest_subprocess(HAETAE, "-q", "-n", "8", "--dist", "load")  # GAT-09
    shared.assert_outcomes(passed=1, failed=1, skipped=1)
    assert runs(bench_at, shop) == ["checkout.3", "checkout.2", "checkout.1"]  # a session of its own, one run
    assert _verdicts(shared) == [line.replace("checkout.2", "checkout.3") for line in _verdicts(alone)]
    assert len(_verdicts(shared)) == 4


def test_a_test_that_is_run_again_does_not_run_the_suite_again(shop, bench_at):  # GAT-09
    shop.makeconftest(
        """
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            runtestprotocol(item, nextitem=nextitem, log=True)  # what rerun plugins do
            runtestprotocol(item, nextitem=nextitem, log=True)
            return True
        """
    )
    result = shop.runpytest_subprocess(HAETAE, "--junitxml=junit.xml")
    result.assert_outcomes(passed=2, failed=2, skipped=2)
    assert runs(bench_at, shop) == ["checkout.2", "checkout.1"]
    assert len(_verdicts(result)) == 4


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_junit_carries_the_verdicts_as_plain_text_and_nothing_else_is_left(shop, monkeypatch, tmp_path, workers):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = {path.name for path in shop.path.iterdir()}
    shop.runpytest_subprocess(HAETAE, "--junitxml=junit.xml", "-p", "no:cacheprovider", *workers)
    after = {path.name for path in shop.path.iterdir() if not path.name.startswith(("runpytest", "std"))}
    assert after - before - {"__pycache__"} == {"junit.xml"}
    assert list(tmp_path.iterdir()) == []
    cases = ElementTree.parse(shop.path / "junit.xml").iter("testcase")  # noqa: S314  # a file of our own
    told = {case.get("name"): {p.get("name"): p.get("value") for p in case.iter("property")} for case in cases}
    assert {name: said["haetae.verdict"] for name, said in told.items()} == {
        "helpful": "pass",
        "correct": "regression",
        "polite": "inconclusive",
    }
    assert told["correct"]["haetae.run"] == "checkout.2"
    assert told["correct"]["haetae.metric"] == "correct"
    assert told["correct"]["haetae.text"].startswith("correct fell by 33.3 points")


def test_what_data_says_moves_no_cursor(shop, bench_at):  # SEC-11
    suite = (shop.path / "checkout.eval.yaml").read_text()
    suite = suite.replace("gate:", "slices: [language]\ngate:").replace(
        "correct: { max_drop: 0.1 }", "correct: { max_drop: 0.1, by: language }"
    )
    (shop.path / "checkout.eval.yaml").write_text(suite)
    samples = [json.loads(line) for line in (shop.path / "samples.jsonl").read_text().splitlines()]
    for number, sample in enumerate(samples):
        sample["metadata"] = {"language": "\x1b[31mko" if number % 3 == 0 else "en"}  # those that fell
    (shop.path / "samples.jsonl").write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    now = (shop.path / "outputs.jsonl").read_text()
    (shop.path / "outputs.jsonl").write_text(now.replace('"correct": 0.0', '"correct": 1.0'))
    with bench_at(shop.path) as bench:
        bench.promote(bench.run(shop.path / "checkout.eval.yaml").run.id, reason="other samples")
    (shop.path / "outputs.jsonl").write_text(now)
    result = shop.runpytest_subprocess(HAETAE, "-k", "correct")
    result.assert_outcomes(failed=1, deselected=2)
    assert "\x1b" not in result.stdout.str()
    result.stdout.fnmatch_lines(["*mostly in language=*x1b[[]31mko; this is not noise.*"])


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_a_wrong_suite_fails_once_with_its_place_and_no_traceback(shop, workers):
    suite = (shop.path / "checkout.eval.yaml").read_text()
    (shop.path / "checkout.eval.yaml").write_text(suite.replace("    polite: {", "    politely: {"))
    result = shop.runpytest_subprocess(HAETAE, *workers)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*checkout.eval.yaml:13:15: gate.metrics.politely: *"])
    assert "Traceback" not in result.stdout.str()
    assert "pytest_plugin.py" not in result.stdout.str()


def test_a_file_that_is_no_yaml_or_has_no_gate_says_so(pytester):
    (pytester.path / "a.eval.yaml").write_text("suite: [unclosed\n")
    (pytester.path / "b.eval.yaml").write_text(
        "suite: x\ndataset: d.jsonl\ntarget: {outputs: o.jsonl}\nmetrics: {a: chrf}\n"
    )
    (pytester.path / "d.jsonl").write_text('{"id": "1", "input": "q", "reference": "a"}\n')
    (pytester.path / "o.jsonl").write_text('{"id": "1", "output": "a"}\n')
    result = pytester.runpytest_subprocess(HAETAE)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["a.eval.yaml:*: YAML syntax: *", "*the suite declares no gate*"])


def test_python_tests_get_the_report_from_the_same_run(shop, bench_at, add_tests):
    add_tests(
        """
        import pytest

        @pytest.mark.parametrize("again", [1, 2])
        def test_checkout(haetae_gate, again):
            report = haetae_gate("checkout.eval.yaml")
            assert report.run.id == "checkout.2"
            assert report.verdict == "regression"
            assert {e.metric: round(e.value, 2) for e in report.estimates}["helpful"] == 0.79
        """
    )
    result = shop.runpytest_subprocess(HAETAE, "-n", "2")
    result.assert_outcomes(passed=3, failed=1, skipped=1)
    assert runs(bench_at, shop) == ["checkout.2", "checkout.1"]
    result.stdout.fnmatch_lines(["  ✗ regression             correct fell by *"])


def test_the_fixture_needs_no_opt_in_and_says_what_is_wrong(pytester, add_tests):
    add_tests(
        """
        def test_checkout(haetae_gate):
            haetae_gate("missing.yaml")
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *missing.yaml*"])


def test_everything_it_adds_is_prefixed(pytester):
    said = pytester.runpytest_subprocess("--help", "-q").stdout.str()
    ours = [
        line.split()[0]
        for line in said.partition("evaluation suites:")[2].split("\n\n")[0].splitlines()
        if "--" in line
    ]
    assert ours == ["--haetae", "--haetae-strict"]
    fixtures = pytester.runpytest_subprocess("--fixtures", "-q").stdout.str()
    assert "\nhaetae_gate -- " in fixtures
    pytester.makepyfile("def test_nothing(): pass")
    pytester.runpytest_subprocess("--strict-markers", "-W", "error").assert_outcomes(passed=1)


def test_loading_the_plugin_imports_only_the_standard_library_and_pytest():
    code = (
        "import sys, pytest\nbefore = set(sys.modules)\nimport haetae.pytest_plugin\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "haetae.pytest_plugin" in loaded
    foreign = [name for name in loaded if name.partition(".")[0] not in {*sys.stdlib_module_names, "_pytest", "pytest"}]
    assert foreign == ["haetae", "haetae.pytest_plugin"]


def test_a_session_without_suites_loads_nothing_of_the_package(pytester):
    pytester.makepyfile(
        "import sys\n\n\ndef test_it():\n    print('\\n', *(n for n in sys.modules if 'haetae' in n))\n"
    )
    result = pytester.runpytest_subprocess(HAETAE, "-s", "-q")
    loaded = next(line for line in result.outlines if "haetae.pytest_plugin" in line).split()
    assert [name for name in loaded if not name.startswith("__editable__")] == ["haetae", "haetae.pytest_plugin"]


def _verdicts(result) -> list[str]:
    """The lines of the summary: the run's, and one for each metric."""
    lines = result.outlines
    start = next(i for i, line in enumerate(lines) if line.strip("= ") == "haetae") + 1
    return [line for line in lines[start : start + 6] if line.startswith(("checkout.", "  ✗", "  ✓", "  ?", "  –"))][:4]
