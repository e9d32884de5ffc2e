"""A command loads what it needs and nothing heavier: a help no library, a check no client, a cached run no server."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from haetae.demo.server import DemoServer

_NEVER = {"alembic", "mlflow", "pandas", "psycopg", "rich", "scipy", "torch", "wandb"}
_SUITE = """\
suite: asked
dataset: samples.jsonl
target: { model: small@production, prompt: prompt.yaml }
metrics: { right: exact_match, near: { rouge: L } }
"""
_PROMPT = "messages: [{ role: user, content: 'Answer {{ input }}' }]\n"


def _loaded(folder: Path, *arguments: str) -> tuple[set[str], str]:
    """The modules that a process of `haetae` has when it ends, and what it printed."""
    code = (
        "import atexit, sys\n"
        f"sys.argv = {['haetae', *arguments]}\n"
        "atexit.register(lambda: print('loaded:', *sorted(sys.modules), file=sys.stderr))\n"
        "from haetae.cli.main import main\n"
        "main()\n"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE", "OTEL", "HAETAE"))}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=folder, env=env)
    assert done.returncode == 0, done.stdout
    return set(done.stderr.rpartition("loaded:")[2].split()), done.stdout


def _packages(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def _project(folder: Path, url: str) -> None:
    (folder / "pyproject.toml").touch()
    (folder / "suite.yaml").write_text(_SUITE)
    (folder / "prompt.yaml").write_text(_PROMPT)
    (folder / "small.yaml").write_text(f"base_url: {url}\nmodel: extractive-answerer\n")
    rows = ({"id": str(n), "input": f"question {n}", "reference": f"answer {n}"} for n in range(3))
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_the_help_loads_click_and_nothing_else_of_others(tmp_path: Path) -> None:
    modules, said = _loaded(tmp_path, "--help")
    assert "Commands:" in said
    ours = {module for module in modules if module.startswith("haetae.")}
    assert ours <= {"haetae.cli", "haetae.cli.main"}
    assert not _packages(modules) & (
        _NEVER | {"aiohttp", "asyncio", "json", "numpy", "orjson", "pydantic", "sqlalchemy"}
    )


def test_a_check_and_a_run_that_has_every_answer_load_no_client(tmp_path: Path) -> None:
    async def played() -> list[tuple[set[str], str]]:
        async with DemoServer() as server:
            _project(tmp_path, server.base_url)
            commands = (
                ("register", "model", "small.yaml", "--alias", "production"),
                ("check", "suite.yaml"),
                *[("run", "suite.yaml", "--quiet")] * 2,
            )
            return [await asyncio.to_thread(_loaded, tmp_path, *command) for command in commands]

    _, (checked, plan), (asked, _), (cached, report) = asyncio.run(played())
    assert "3 samples" in plan
    assert {"pydantic", "sqlmodel"} <= _packages(checked)
    assert not _packages(checked) & (_NEVER | {"aiohttp", "numpy"})
    assert "sqlalchemy.dialects.postgresql" not in checked
    assert {"aiohttp", "numpy"} <= _packages(asked)
    assert "3 answers reused" in report
    assert "numpy" in _packages(cached)
    assert not _packages(cached) & (_NEVER | {"aiohttp"})
    assert not cached & {"sqlalchemy.dialects.postgresql", "numpy.ma", "urllib.request", "haetae.workbench.plan"}
