"""What `haetae run --shards` says of where others may work on the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from haetae.store.sql import SqlLedger
from tests.unit.cli.conftest import Said, Shop


@pytest.mark.parametrize(
    ("of_one_machine", "where"), [(True, "here, in another process"), (False, "on other machines")]
)
def test_other_machines_are_named_only_where_they_can_use_the_ledger(
    shop: Shop, haetae: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, of_one_machine: bool, where: str
) -> None:  # STO-05
    known: Any = property(lambda _: of_one_machine)
    monkeypatch.setattr(SqlLedger, "is_of_one_machine", known)
    said = haetae("run", shop.suite, "--shards", "2", "--quiet")
    (line,) = [line for line in said.err.splitlines() if "is shared" in line]
    assert line.partition(" is shared; ")[2].startswith(where)
    assert ("machines" in line) is not of_one_machine


def test_a_file_is_of_one_machine(shop: Shop, haetae: Callable[..., Said]) -> None:
    said = haetae("run", shop.suite, "--shards", "2", "--quiet")
    assert "is shared; here, in another process: haetae work " in said.err
