"""haetae deploy, before it asks a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

SCHEDULE = 'schedule: { cron: "0 6 * * *", timezone: Asia/Seoul }\n'


@pytest.fixture
def scheduled(shop: Any) -> Any:
    shop.write(60)
    shop.suite.write_text(shop.suite.read_text() + SCHEDULE)
    return shop


def test_a_prefect_yaml_is_written_with_paths_from_this_folder(haetae: Any, scheduled: Any) -> None:
    said = haetae("deploy", "--write", "prefect.yaml", "--project", "shop", "--folder", "/srv/shop")
    assert said.code == 0
    assert said.out == "prefect.yaml: 7 deployments; apply them with: prefect --no-prompt deploy --all\n"
    written = yaml.safe_load(scheduled.suite.with_name("prefect.yaml").read_text("utf-8"))
    night = written["deployments"][0]
    assert (night["name"], night["parameters"]) == ("shop", {"suites": [scheduled.suite.name]})
    assert written["pull"][0]["prefect.deployments.steps.set_working_directory"] == {"directory": "/srv/shop"}


def test_without_a_server_it_says_how_to_have_one(haetae: Any, scheduled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haetae.flows.server.server", lambda: None)
    said = haetae("deploy")
    assert said.code == 2
    assert "no Prefect server is named: start one with prefect server start and set PREFECT_API_URL=" in said.err


def test_a_wrong_suite_is_told_at_its_line_and_nothing_is_deployed(haetae: Any, shop: Any) -> None:
    shop.write(60)
    shop.suite.write_text(shop.suite.read_text() + 'schedule: { cron: "61 * * * *" }\n')
    said = haetae("deploy", "--write", "prefect.yaml")
    assert said.code == 2
    assert "suite.yaml:9:" in said.err
    assert not shop.suite.with_name("prefect.yaml").exists()


def test_a_suite_outside_this_folder_would_not_be_found_by_workers(
    haetae: Any, scheduled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = scheduled.suite.parent / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    said = haetae("deploy", str(scheduled.suite), "--write", "prefect.yaml")
    assert said.code == 2
    assert "start haetae deploy in a folder above both" in said.err


@pytest.mark.parametrize(
    ("option", "name"),
    [
        *(
            ("--pool", name)
            for name in ["a/b", "../x", "a%b", "a\nb", "a#b", "a?b", "", " a", "..", "prefect-x", "Prefect"]
        ),
        *(("--project", name) for name in ["a/b", "a&b", "", "\t"]),
    ],
)
def test_a_name_that_prefect_does_not_take_is_told_before_anything_is_made(
    haetae: Any, scheduled: Any, option: str, name: str
) -> None:
    said = haetae("deploy", option, name, "--write", "prefect.yaml")
    assert said.code == 2
    assert f"{option}: {name!r} is no name for a " in said.err
    assert not scheduled.suite.with_name("prefect.yaml").exists()


@pytest.mark.parametrize("name", ["night shift", "상담", "a:b@c+d;e", "x.y_z-1"])
def test_other_names_are_taken(haetae: Any, scheduled: Any, name: str) -> None:
    assert haetae("deploy", "--pool", name, "--project", name, "--write", "prefect.yaml").code == 0


def test_the_name_of_a_suite_is_told_at_its_line(haetae: Any, scheduled: Any) -> None:
    scheduled.suite.write_text(scheduled.suite.read_text().replace("suite: shop", "suite: shop/night"))
    said = haetae("deploy", "--write", "prefect.yaml")
    assert said.code == 2
    assert "suite.yaml:1:" in said.err
    assert "'shop/night' is no name for a deployment" in said.err


def test_a_folder_for_workers_begins_at_the_root(haetae: Any, scheduled: Any) -> None:
    said = haetae("deploy", "--folder", "rel/path", "--write", "prefect.yaml")
    assert said.code == 2
    assert "--folder: 'rel/path' says nothing to a worker that starts elsewhere" in said.err


def test_a_file_that_cannot_be_written_is_named(haetae: Any, scheduled: Any) -> None:
    said = haetae("deploy", "--write", "nowhere/prefect.yaml")
    assert said.code == 2
    assert "nowhere/prefect.yaml cannot be written: No such file or directory" in said.err


def test_without_a_schedule_all_but_nights_is_written_and_that_is_said(haetae: Any, shop: Any) -> None:
    said = haetae("deploy", "--write", "prefect.yaml")
    assert said.code == 0
    assert "prefect.yaml: 6 deployments" in said.out
    assert "no suite with a schedule in .: no night is deployed. Add one to a suite, and deploy again: schedule: {" in (
        said.out
    )


def test_the_ledger_is_brought_to_this_version_before_the_server_is_asked(
    haetae: Any, scheduled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from haetae import load_settings

    file = Path(load_settings().ledger.removeprefix("sqlite:///"))
    there: list[bool] = []

    def deploy(*_: Any, **__: Any) -> list[str]:
        there.append(file.exists())
        return ["done"]

    monkeypatch.setattr("haetae.flows.server.server", lambda: "http://127.0.0.1:1/api")
    monkeypatch.setattr("haetae.flows.deploying.deploy", deploy)
    assert haetae("deploy", "--write", "prefect.yaml").code == 0
    assert not file.exists()
    assert haetae("deploy").code == 0
    assert there == [True]
