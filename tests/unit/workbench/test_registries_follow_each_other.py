"""Versions and aliases here and in another registry: whoever moved is followed, once, and nothing is made twice."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from haetae.core.canonical import Json, digest
from haetae.core.clock import SystemClock
from haetae.core.reference import Kind, Reference
from haetae.core.registry import Version
from haetae.core.tracker import TheirName
from haetae.errors import RegistryError, TrackerError
from haetae.store.sql import SqlLedger, open_ledger
from haetae.workbench.registry.following import RegistrySync, Synced

AT = datetime(2026, 3, 1, tzinfo=UTC)


def prompt(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"{text} {{{{ input }}}}"}]


@dataclass
class Theirs:
    """A registry as MLflow's is: the same content registered again is another version."""

    contents: dict[str, list[Json]] = field(default_factory=dict)
    marks: dict[tuple[str, int], str] = field(default_factory=dict)
    aliases: dict[str, dict[str, int]] = field(default_factory=dict)
    away: bool = False

    def make(self, name: str, content: Json) -> int:
        self.contents.setdefault(name, []).append(content)
        return len(self.contents[name])

    def mirror(self, version: Version) -> str:
        return "/".join(self.push(version))

    def names(self, kind: Kind) -> Iterator[TheirName]:
        if self.away:
            raise TrackerError("MLflow cannot be reached")
        for name, made in self.contents.items() if kind == "prompt" else ():
            marked = {str(n): self.marks.get((name, n)) for n in range(1, len(made) + 1)}
            yield TheirName(name, name, marked, {a: str(n) for a, n in self.aliases.get(name, {}).items()})

    def read(self, kind: Kind, there: str, number: str) -> Json:
        content = self.contents[there][int(number) - 1]
        if content is None:
            raise RegistryError("it holds weights")
        return content

    def push(self, version: Version) -> tuple[str, str]:
        number = self.make(version.name, version.content)
        self.marks[version.name, number] = version.digest
        return version.name, str(number)

    def mark(self, there: str, number: str, version: Version) -> None:
        self.marks[there, int(number)] = version.digest

    def takes_alias(self, alias: str) -> bool:
        return alias != "latest"

    def point(self, kind: Kind, there: str, alias: str, number: str) -> None:
        self.aliases.setdefault(there, {})[alias] = int(number)

    def text(self, alias: str) -> Json:
        """What an alias means there."""
        number = self.aliases.get("ans", {}).get(alias)
        return None if number is None else self.contents["ans"][number - 1]


@dataclass
class Pair:
    """Both registries."""

    ours: SqlLedger
    theirs: Theirs

    def sync(self) -> Synced:
        return RegistrySync(self.ours, self.ours, self.theirs, SystemClock())(60.0)

    def register(self, text: str) -> int:
        return self.ours.register("prompt", "ans", prompt(text), AT)[0].number

    def alias(self, alias: str, number: int) -> None:
        self.ours.set_alias("prompt", "ans", alias, number, AT)

    def number(self, alias: str = "production") -> int:
        return self.ours.find("prompt", Reference("ans", alias)).number

    def text(self, alias: str) -> Json:
        """What an alias means here."""
        try:
            return self.ours.find("prompt", Reference("ans", alias)).content
        except RegistryError:
            return None


@pytest.fixture
def pair(ledger: SqlLedger) -> Pair:
    return Pair(ledger, Theirs())


def test_what_is_new_on_either_side_comes_to_the_other_once(pair: Pair) -> None:
    pair.register("ours")
    pair.alias("production", 1)
    pair.theirs.make("ans", prompt("theirs"))
    first = pair.sync()
    assert len(pair.theirs.contents["ans"]) == len(pair.ours.versions("prompt", "ans")) == 2
    assert pair.theirs.text("production") == prompt("ours")
    assert any("prompt ans@2 comes from MLflow: ans version 1" in line for line in first.lines)
    again = pair.sync()
    assert (again.lines, again.moves, again.whole) == ((), (), True)


def test_whoever_moved_is_followed(pair: Pair) -> None:
    one, two = pair.register("one"), pair.register("two")
    pair.alias("production", one)
    pair.sync()
    pair.alias("production", two)
    pair.sync()
    assert pair.theirs.text("production") == prompt("two")
    pair.theirs.point("prompt", "ans", "production", "1")
    synced = pair.sync()
    assert pair.text("production") == prompt("one")
    (move,) = synced.moves
    assert (move.by, move.before, move.number) == ("mlflow", two, one)
    assert pair.ours.moves("prompt", "ans")[0] == move
    assert pair.sync().lines == ()


def test_where_both_moved_nobody_follows_until_one_moves_again(pair: Pair) -> None:
    for text in ("one", "two", "three"):
        pair.register(text)
    pair.alias("production", 1)
    pair.sync()
    pair.alias("production", 2)
    pair.theirs.point("prompt", "ans", "production", "3")
    for _ in range(2):
        (line,) = pair.sync().lines
        assert "prompt ans@production is 2 here and 3 in MLflow, and nobody follows" in line
    assert (pair.number(), pair.theirs.aliases["ans"]["production"]) == (2, 3)
    pair.theirs.point("prompt", "ans", "production", "1")
    pair.sync()
    assert pair.number() == 1


def test_what_is_deleted_there_stays_here_and_is_said_once(pair: Pair) -> None:
    pair.alias("production", pair.register("one"))
    pair.sync()
    del pair.theirs.aliases["ans"]["production"]
    assert pair.sync().lines == ("prompt ans@production was deleted in MLflow, and stays here",)
    assert pair.sync().lines == ()
    assert "production" not in pair.theirs.aliases["ans"]
    pair.alias("production", pair.register("two"))
    pair.sync()
    assert pair.theirs.text("production") == prompt("two")


def test_what_one_side_cannot_take_stays_where_it_is_and_is_said(pair: Pair) -> None:
    pair.alias("latest", pair.register("one"))
    pair.theirs.make("ans", None)
    pair.theirs.make("a name", prompt("x"))
    pair.theirs.point("prompt", "ans", "7", "1")
    said = "\n".join(pair.sync().lines)
    assert "prompt ans version 1 stays in MLflow only: it holds weights" in said
    assert "MLflow's prompt 'a name' stays there only" in said
    assert "prompt ans@latest stays here only: MLflow takes no alias of this name" in said
    assert "prompt ans@7 points in MLflow at version 1, which stays there only" in said


def test_the_mark_of_another_ledger_stays_where_the_content_is_not_what_it_was(pair: Pair, tmp_path: Path) -> None:
    number = pair.theirs.make("ans", prompt("as it is there"))
    pair.theirs.marks["ans", number] = "of another ledger"
    with open_ledger(f"sqlite:///{tmp_path}/other.db") as other:
        for one in (pair, Pair(other, pair.theirs)) * 2:
            one.sync()
            assert one.ours.versions("prompt", "ans")[0].content == prompt("as it is there")
    assert pair.theirs.marks == {("ans", 1): "of another ledger"}
    assert len(pair.theirs.contents["ans"]) == 1


def test_a_template_that_nobody_can_use_is_not_taken(pair: Pair) -> None:
    pair.theirs.make("ans", [{"role": "user", "content": "{% for %}"}])
    (line,) = pair.sync().lines
    assert "stays in MLflow only" in line
    assert pair.ours.versions("prompt") == []


def test_with_the_other_away_nothing_changes(pair: Pair) -> None:
    pair.alias("production", pair.register("one"))
    pair.theirs.away = True
    synced = pair.sync()
    assert synced.whole is False
    (line,) = synced.lines
    assert "MLflow cannot be reached" in line
    assert pair.ours.stands("prompt", "ans") == {}


def test_a_sync_that_died_before_it_kept_where_both_stand_is_made_good(pair: Pair, monkeypatch: Any) -> None:
    pair.alias("production", pair.register("one"))
    pair.sync()
    pair.alias("production", pair.register("two"))
    with monkeypatch.context() as dying:
        dying.setattr(SqlLedger, "keep_stand", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            pair.sync()
    assert pair.sync().moves == ()
    assert (pair.number(), pair.theirs.text("production")) == (2, prompt("two"))


class Registries(RuleBasedStateMachine):
    """Any moves on either side, with syncs between."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.pair = Pair(open_ledger(f"sqlite:///{Path(self.folder.name) / 'ledger.db'}"), Theirs())
        self.last: dict[str, tuple[Json, Json]] = {}

    aliases = st.sampled_from(["production", "candidate"])

    @rule(text=st.sampled_from("abcd"))
    def register_here(self, text: str) -> None:
        self.pair.register(text)

    @rule(text=st.sampled_from("abcd"))
    def register_there(self, text: str) -> None:
        self.pair.theirs.make("ans", prompt(text))

    @rule(alias=aliases, pick=st.integers(0, 9))
    def move_here(self, alias: str, pick: int) -> None:
        if versions := self.pair.ours.versions("prompt", "ans"):
            self.pair.alias(alias, versions[pick % len(versions)].number)

    @rule(alias=aliases, pick=st.integers(0, 9))
    def move_there(self, alias: str, pick: int) -> None:
        if made := self.pair.theirs.contents.get("ans"):
            self.pair.theirs.point("prompt", "ans", alias, str(1 + pick % len(made)))

    @rule()
    def sync(self) -> None:
        before = {alias: (self.pair.text(alias), self.pair.theirs.text(alias)) for alias in ("production", "candidate")}
        self.pair.sync()
        for alias, (ours, theirs) in before.items():
            last = self.last.get(alias, (None, None))
            now = self.last[alias] = self.pair.text(alias), self.pair.theirs.text(alias)
            moved_here, moved_there = ours != last[0], theirs != last[1]
            if moved_here == moved_there:  # both or nobody: nothing moves
                assert now == (ours, theirs)
            else:
                assert now == ((ours, ours) if moved_here else (theirs, theirs))
        again = self.pair.sync()
        assert again.moves == ()
        assert all("nobody follows" in line for line in again.lines)

    @invariant()
    def nothing_is_made_twice_here(self) -> None:
        digests = [version.digest for version in self.pair.ours.versions("prompt", "ans")]
        assert len(digests) == len(set(digests))

    @invariant()
    def what_was_pushed_was_not_there(self) -> None:
        contents = self.pair.theirs.contents.get("ans", [])
        for (name, number), marked in self.pair.theirs.marks.items():
            assert digest(self.pair.theirs.contents[name][number - 1]) == marked
        assert len(contents) < 100

    def teardown(self) -> None:
        self.pair.ours.close()
        self.folder.cleanup()


Registries.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAnySequence = Registries.TestCase
