"""What a recorded pipeline says of its stages: each has a name of its own."""

from __future__ import annotations

from haetae.catalog.pipeline import stages_of
from haetae.catalog.rows import Fault


def test_two_stages_of_one_name_are_a_fault_told_once() -> None:
    faults: list[Fault] = []
    stages_of([{"name": name} for name in ("retrieve", "guard", "retrieve", "answer", "retrieve", "guard")], faults)
    assert faults == [("stages", "two stages are named 'retrieve'"), ("stages", "two stages are named 'guard'")]


def test_a_quarter_of_a_million_stages_are_checked_in_one_walk() -> None:
    faults: list[Fault] = []
    found = stages_of([{"name": f"stage {n}"} for n in range(250_000)], faults)  # each beside each: half an hour
    assert (len(found), faults) == (250_000, [])
