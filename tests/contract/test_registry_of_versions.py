"""What every registry promises: immutable numbered versions by content, aliases that move by command."""

from __future__ import annotations

from typing import Any

import pytest

from haetae.core.canonical import digest
from haetae.core.reference import Reference
from haetae.errors import ConfigError, RegistryError
from haetae.store.sql import SqlLedger

PROMPT = {"messages": [{"role": "user", "content": "질문: {{ input }}\0"}]}


def test_the_same_content_is_the_same_version(ledger: SqlLedger, given: Any) -> None:  # REG-01, REG-02
    first, new = ledger.register("prompt", "answer", PROMPT, given.at)
    assert new
    assert (first.number, first.digest, first.content) == (1, digest(PROMPT), PROMPT)
    assert ledger.register("prompt", "answer", {"text": "other"}, given.later(1))[0].number == 2
    assert ledger.register("prompt", "answer", dict(PROMPT), given.later(2)) == (first, False)
    assert ledger.register("model", "answer", PROMPT, given.at)[0].reference == "answer@1"


def test_a_version_is_found_by_number_alias_digest_or_as_the_newest(ledger: SqlLedger, given: Any) -> None:
    one, two = (ledger.register("model", "llm", {"temperature": t}, given.at)[0] for t in (0.0, 0.7))
    ledger.set_alias("model", "llm", "production", 1, given.at)
    for text, number in (
        ("llm", 2),
        ("llm@1", 1),
        ("llm@production", 1),
        (f"llm@sha256:{two.digest}", 2),
        (f"llm@sha256:{one.digest[:8]}", 1),
    ):
        assert ledger.find("model", Reference.parse(text)).number == number
    assert ledger.find("model", Reference("llm", 1)).aliases == ("production",)
    assert [version.aliases for version in ledger.versions("model", "llm")] == [("production",), ()]


def test_an_alias_moves_and_a_version_may_have_several(ledger: SqlLedger, given: Any) -> None:
    for t in (0, 1):
        ledger.register("model", "llm", {"t": t}, given.at)
    for alias, number in (("production", 1), ("candidate", 2), ("production", 2)):
        ledger.set_alias("model", "llm", alias, number, given.at)
    assert ledger.find("model", Reference("llm", "production")).aliases == ("candidate", "production")


def test_what_is_missing_is_named_with_what_is_there(ledger: SqlLedger, given: Any) -> None:
    ledger.register("prompt", "answer", PROMPT, given.at)
    ledger.set_alias("prompt", "answer", "production", 1, given.at)
    for reference in ("answer@7", "answer@staging", "answer@sha256:00000000"):
        with pytest.raises(RegistryError, match=rf"no prompt {reference}; versions of answer: 1@production"):
            ledger.find("prompt", Reference.parse(reference))
    with pytest.raises(RegistryError, match="no prompt 'reply' is registered; registered are: answer"):
        ledger.find("prompt", Reference("reply"))
    with pytest.raises(RegistryError, match="no model 'answer' is registered; registered are: none"):
        ledger.set_alias("model", "answer", "production", 1, given.at)
    with pytest.raises(RegistryError, match=r"no prompt answer@2; versions"):
        ledger.set_alias("prompt", "answer", "production", 2, given.at)
    assert ledger.find("prompt", Reference("answer", "production")).number == 1


@pytest.mark.parametrize("name", ["../../x", "CON", "x" * 300, "a/b", "/etc/passwd", "a\0b", "\\\\host\\x", "😀", ""])
def test_names_and_aliases_are_safe(ledger: SqlLedger, given: Any, name: str) -> None:  # SEC-05, REG-08
    with pytest.raises(ConfigError, match="is not a name"):
        ledger.register("prompt", name, PROMPT, given.at)
    ledger.register("prompt", "한국어", PROMPT, given.at)
    with pytest.raises(ConfigError, match="is not a name"):
        ledger.set_alias("prompt", "한국어", name, 1, given.at)
    assert [version.name for version in ledger.versions("prompt")] == ["한국어"]


def test_a_number_cannot_be_an_alias(ledger: SqlLedger, given: Any) -> None:
    ledger.register("prompt", "answer", PROMPT, given.at)
    with pytest.raises(RegistryError, match="is a version number"):
        ledger.set_alias("prompt", "answer", "3", 1, given.at)
