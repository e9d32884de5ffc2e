"""Secrets stay where they belong, and the code base has no way to run what it is given."""

from __future__ import annotations

import ast
import io
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from haetae.engine.functions import load_function
from haetae.engine.watch import Progress
from haetae.errors import ConfigError
from haetae.workbench.export import export

HOME = Path(__file__).parents[2]
CANARY = "canary"


def _everything(project: Any, run_id: str) -> str:
    """All that a run left behind: the ledger's bytes, its exports, its report."""
    kept = b"".join(file.read_bytes() for file in project.settings.home.rglob("*") if file.is_file())
    out = io.StringIO()
    with project.bench() as bench:
        for form in ("jsonl", "csv"):
            export(bench.ledger, run_id, form, out)
        report = bench.report(run_id)
        record = bench._record(run_id)
    return kept.decode("latin-1") + out.getvalue() + report.text + json.dumps(report.as_json()) + repr(record)


def test_no_secret_is_found_in_what_a_run_leaves_behind(project: Any, server: Any, replies: Any) -> None:  # SEC-07
    key = project.settings.env["MODEL_KEY"]
    project.settings.env["OTHER_KEY"] = "canary-header-98765"
    spec = (project.folder / "llm.yaml").read_text() + 'headers: { X-Api-Key: "${OTHER_KEY}" }\n'
    (project.folder / "llm.yaml").write_text(spec)
    with project.bench() as bench:
        bench.register("model", project.folder / "llm.yaml")

    def echo(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        said = f"you sent {headers.get('Authorization')} and {headers.get('X-Api-Key')}"
        number = len(server.bodies) % 4
        if body["model"] == "judge":
            return replies.completed(json.dumps({"reasoning": said, "score": 1}), model=said)
        if number == 0:
            return 400, json.dumps({"error": {"message": said}})
        if number == 1:
            return 200, f"<html>{said}</html>"
        return replies.completed(said, model=said)

    server.answer = echo
    with project.bench() as bench:
        report = bench.run(project.suite)
    left = _everything(project, report.run.id)
    assert key not in left
    assert CANARY not in left
    assert "you sent Bearer ***" in left  # the echo did arrive


def test_no_part_of_an_address_that_the_environment_holds_is_shown(
    project: Any, server: Any, replies: Any
) -> None:  # SEC-07
    project.settings.env["TENANT"] = "canary-tenant-4711"
    registered = "${MODEL_URL}/${TENANT}"
    for name, model in (("llm", "m"), ("grader", "judge")):
        (project.folder / f"{name}.yaml").write_text(json.dumps({"base_url": registered, "model": model}))
        with project.bench() as bench:
            bench.register("model", project.folder / f"{name}.yaml")

    def busy_at_first(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        return (503, "busy") if len(server.bodies) <= 40 else replies.by_model(body, headers)

    server.answer = busy_at_first
    seen: list[Progress] = []
    with project.bench() as bench:
        report = bench.run(project.suite, watcher=seen.append)
    assert {change.endpoint for change in report.run.course} == {registered}
    assert {endpoint.place for progress in seen for endpoint in progress.endpoints} == {registered}
    assert CANARY not in _everything(project, report.run.id) + repr(seen)


def test_a_key_that_is_refused_is_named_by_its_variable(project: Any, server: Any) -> None:  # END-09, SEC-07
    server.answer = lambda body, headers: (401, json.dumps({"error": {"message": f"bad {headers['Authorization']}"}}))
    with project.bench() as bench:
        report = bench.run(project.suite)
    assert "$MODEL_KEY" in (report.run.note or "")
    assert CANARY not in _everything(project, report.run.id)
    assert len(server.bodies) <= 16  # those that were under way


def test_what_a_function_raises_holds_no_secret(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # SEC-07
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    (project.folder / "leaking_app.py").write_text(
        "def answer(q):\n    raise RuntimeError('https://api.example/?token=canary-in-a-url&x=1')\n"
    )
    text = project.suite.read_text().replace(
        "{ model: llm, prompt: ask@production }", "{ function: leaking_app:answer }"
    )
    project.suite.write_text(
        text.replace("  polite: { judge: polite.md, scale: [0, 1] }\n", "").replace(
            "    polite: { max_drop: 0.05 }\n", ""
        )
    )
    with project.bench() as bench:
        report = bench.run(project.suite)
    assert dict(report.accounting[0].unscored) == {"not_generated": 20}
    assert "canary-in-a-url" not in _everything(project, report.run.id)


@pytest.mark.parametrize("function", ["os:system", "leaky_app:system", "leaky_app:os.system", "leaky_app:Pipe"])
def test_no_suite_makes_a_shell_of_a_dataset(
    function: str, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # SEC-21
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    (project.folder / "leaky_app.py").write_text(
        "import os\nfrom os import system\nfrom subprocess import Popen as Pipe\n"
    )
    canary = project.folder / "canary"
    rows = [{"id": "1", "input": f"touch {canary}", "reference": "a"}]
    (project.folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = project.suite.read_text().replace("{ model: llm, prompt: ask@production }", f"{{ function: '{function}' }}")
    project.suite.write_text(text)
    with project.bench() as bench, pytest.raises(ConfigError) as caught:
        bench.run(project.suite)
    assert str(caught.value).startswith("suite.yaml:3:21: target.function: ")
    assert "belongs to Python itself; name a function of an application" in str(caught.value)
    assert not canary.exists()


def test_a_module_of_the_project_may_be_called_like_one_of_pythons(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    monkeypatch.delitem(__import__("sys").modules, "antigravity", raising=False)
    (project.folder / "antigravity.py").write_text("def answer(q):\n    return q\n")
    assert load_function("antigravity:answer", project.folder, project.folder)("up") == "up"


_FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
_FORBIDDEN_MODULES = {"pickle", "dill", "joblib", "shelve", "marshal", "cPickle", "cloudpickle"}
_FORBIDDEN_ATTRIBUTES = {
    ("yaml", "load"),
    ("yaml", "unsafe_load"),
    ("yaml", "full_load"),
    ("yaml", "load_all"),
    ("torch", "load"),
    ("pandas", "read_pickle"),
    ("pd", "read_pickle"),
    ("os", "system"),
    ("os", "popen"),
    ("subprocess", "getoutput"),
}
_FORBIDDEN_FLAGS = {"shell", "allow_pickle", "trust_remote_code"}


def _offences(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [f"{node.lineno}: imports {name}" for name in names if name.split(".")[0] in _FORBIDDEN_MODULES]
        if isinstance(node, ast.ImportFrom):
            pairs = [(node.module or "", alias.name) for alias in node.names]
            found += [f"{node.lineno}: imports {'.'.join(pair)}" for pair in pairs if pair in _FORBIDDEN_ATTRIBUTES]
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        if isinstance(function, ast.Name) and function.id in _FORBIDDEN_CALLS:
            found.append(f"{node.lineno}: calls {function.id}")
        if (
            isinstance(function, ast.Attribute)
            and (ast.unparse(function.value), function.attr) in _FORBIDDEN_ATTRIBUTES
        ):
            found.append(f"{node.lineno}: calls {ast.unparse(function)}")
        flags = [word.arg for word in node.keywords if word.arg in _FORBIDDEN_FLAGS and not _is_false(word.value)]
        found += [f"{node.lineno}: {flag}=True" for flag in flags]
    return found


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def test_nothing_here_runs_data_as_code() -> None:  # SEC-06
    files = [file for folder in ("platform", "flows", "dashboards") for file in (HOME / folder).rglob("*.py")]
    assert len(files) > 100
    found = [f"{file.relative_to(HOME)}:{what}" for file in files for what in _offences(ast.parse(file.read_text()))]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        *("import pickle", "from dill import loads", "import joblib.memory", "eval('1')", "exec(x)", "yaml.load(f)"),
        *("from yaml import load", "torch.load(f)", "from torch import load", "run('x', shell=True)", "os.popen(x)"),
        *("run('x', shell=yes)", "np.load(f, allow_pickle=True)", "model(x, trust_remote_code=True)"),
    ],
)
def test_the_check_finds_what_it_looks_for(code: str) -> None:  # SEC-06
    assert _offences(ast.parse(code))


def test_the_linter_looks_for_it_too() -> None:  # SEC-06
    """The rules of bandit, in all of the code and without an exception for a rule about running code."""
    lint = tomllib.loads((HOME / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in lint["select"]
    code = {"S102", "S301", "S302", "S307", "S506", "S602", "S604", "S605", "S614"}
    ignored = {*lint["ignore"], *(rule for rules in lint["per-file-ignores"].values() for rule in rules)}
    assert [rule for rule in ignored if any(each.startswith(rule) for each in code)] == []
