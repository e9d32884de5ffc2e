"""What somebody looks at first: what is installed, what is missing, what there is to import."""

from __future__ import annotations

import json
import re
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest

import haetae
from haetae.workbench.doctor import machine


def test_doctor_as_json_holds_what_doctor_prints(shop: Any) -> None:
    printed, found = shop.call("doctor"), json.loads(shop.call("doctor", "--json").out)
    assert [f"{one['level']:8} {one['message']}" for one in found] == printed.out.splitlines()
    assert {"fine"} <= {one["level"] for one in found} <= {"fine", "missing", "warning"}


def test_doctor_knows_every_extra_by_a_package_of_it() -> None:
    packages: dict[str, set[str]] = {}
    for line in requires("haetae") or []:
        needed, marked, extra = line.partition("; extra == ")
        if marked and (name := re.match(r"[\w.-]+", needed)):
            packages.setdefault(extra.strip("\"'"), set()).add(name[0].replace("-", "_"))
    optional = packages.keys() - {"all", "test", "lint"}
    assert {"mlflow", "zstd", "otel"} <= optional
    assert [extra for extra in optional if not packages[extra] & machine.PARTS.keys()] == []
    assert set(machine.PARTS.values()) <= optional


def test_what_is_missing_is_installed_from_the_checkout_and_not_by_name(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(machine.PARTS, "no-such-package", "dask")
    said = shop.call("doctor")
    assert said.code == 0
    assert "missing  no-such-package; needed only with the extra dask: pip install -e '.[dask]'\n" in said.out


def test_a_checkout_newer_than_its_installation_is_a_problem(
    shop: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    described = '[project]\nname = "haetae"\n[project.entry-points."haetae.metrics"]\nnew = "haetae.metrics.new:New"\n'
    (tmp_path / "pyproject.toml").write_text(described, "utf-8")
    monkeypatch.setattr(machine, "CHECKOUT", tmp_path)
    said = shop.call("doctor")
    assert said.code == 3
    stale = "the installed entry points are older than this checkout; run in it: pip install -e ."
    assert f"problem  {stale}\n" in said.out


def test_sync_as_json_is_a_list_of_what_was_delivered(shop: Any) -> None:
    assert json.loads(shop.call("sync", "--json").out) == []


def test_dir_shows_the_face_before_anything_of_it_is_used() -> None:
    assert {*haetae.__all__, "__version__"} <= set(dir(haetae))
