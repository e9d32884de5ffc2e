"""alerts list, alerts test, alerts check, and run --alert."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.receivers import Webhook


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    with Webhook() as made:
        monkeypatch.setenv("HAETAE_ALERTS", f"{made.address}\njson://127.0.0.1:1/canary")
        monkeypatch.setenv("HAETAE_ALERTS_ALLOW", "127.0.0.1")
        monkeypatch.setattr("haetae.workbench.alerts.raising._AFTER_RUN_S", 60.0)
        yield made


def test_every_address_is_tried_and_named_by_its_place(haetae: Any, shop: Any, hook: Webhook) -> None:
    said = haetae("alerts", "test")
    assert said.code == 3
    assert said.out.splitlines() == [
        "address 1 (json): told",
        "address 2 (json): not told: it cannot be reached: the connection is refused",
    ]
    assert [message["title"] for message in hook.got] == ["Haetae: a test"]
    assert "canary" not in said.out + said.err


def test_without_an_address_there_is_nothing_to_try(haetae: Any, shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HAETAE_ALERTS", raising=False)
    said = haetae("alerts", "test")
    assert (said.code, said.err) == (
        2, "haetae: HAETAE_ALERTS names no address; set it to URLs of Apprise, as slack://… or mailtos://…\n",
    )  # fmt: skip


def test_what_was_raised_is_listed_with_who_was_told_and_why_not(haetae: Any, shop: Any, hook: Webhook) -> None:
    shop.write(60)
    assert haetae("run", str(shop.suite), "--quiet", "--alert").code == 3  # it has no baseline yet
    said = haetae("alerts", "list")
    assert said.code == 0
    lines = said.out.splitlines()[-2:]
    assert all("– No verdict: shop" in line and "shop.1" in line for line in lines)
    assert "address 1 (json): 20" in lines[0]
    assert "address 2 (json): not yet, 1 tried: it cannot be reached: the connection is refused" in lines[1]
    (found,) = haetae("alerts", "list", "--json").json
    assert (found["kind"], found["suite"], found["run"]) == ("no_verdict", "shop", "shop.1")
    assert [told["tries"] for told in found["told"]] == [1, 1]
    assert "canary" not in said.out + str(found)


def test_a_run_by_hand_raises_nothing(haetae: Any, shop: Any, hook: Webhook) -> None:
    shop.write(60)
    haetae("run", str(shop.suite), "--quiet")
    assert haetae("alerts", "list", "--json").json == []
    assert hook.got == []


def test_schedules_that_are_served_are_said_to_be(haetae: Any, shop: Any) -> None:
    shop.write(60)
    shop.suite.write_text(shop.suite.read_text() + 'schedule: { cron: "0 6 * * *" }\n')
    said = haetae("alerts", "check")
    assert (said.code, said.out) == (0, "all schedules are served\n")
    assert haetae("alerts", "check", "--json").json == []


def test_a_kind_that_there_is_not_is_told_at_its_line(haetae: Any, shop: Any) -> None:
    shop.write(60)
    shop.suite.write_text(shop.suite.read_text() + "alert: [regresion]\n")
    said = haetae("check", str(shop.suite))
    assert said.code == 2
    assert "suite.yaml:9:" in said.err
    assert "alert" in said.err
