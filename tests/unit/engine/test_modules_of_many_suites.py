"""Modules of suites that one process knows, looked for by several threads at once: each suite has its own."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest

from haetae.engine import importing
from haetae.engine.importing import import_from

THREADS, TURNS = 8, 25


def test_threads_that_look_for_namesakes_at_once_each_find_their_own(tmp_path: Path) -> None:
    for n in range(THREADS):
        (tmp_path / str(n)).mkdir()
        (tmp_path / str(n) / "namesake_of_many.py").write_text(f"import of_many_{n}\nwhose = {n}\n")
        (tmp_path / str(n) / f"of_many_{n}.py").touch()

    def looked_for(n: int) -> list[ModuleType]:
        return [import_from([str(tmp_path / str(n))], "namesake_of_many") for _ in range(TURNS)]

    with ThreadPoolExecutor(THREADS) as threads:
        for n, found in enumerate(threads.map(looked_for, range(THREADS))):
            assert {module.whose for module in found} == {n}


def test_others_may_import_whatever_they_like_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside_others.py").touch()
    numbers, looked = count(), importing._file

    def looked_while_another_imports(name: str) -> Path | None:
        monkeypatch.setitem(sys.modules, f"of_another_{next(numbers)}", ModuleType("of_another"))
        return looked(name)

    monkeypatch.setattr(importing, "_file", looked_while_another_imports)
    assert import_from([str(tmp_path)], "beside_others").__name__ == "beside_others"
    assert next(numbers) > 0
