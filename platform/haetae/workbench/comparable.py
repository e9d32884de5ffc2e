"""What differs between two runs, whether they may be compared at all, and whom a difference points to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from haetae.core.canonical import Json
from haetae.core.run import Manifest

_MUST_MATCH = ("dataset", "judge", "metric", "decoding")


@dataclass(frozen=True, slots=True)
class Change:
    """One fingerprint that differs: `what` moved (the attribution), where, from what to what."""

    what: str
    field: str
    before: Json
    after: Json

    def __str__(self) -> str:
        return f"{self.field}: {_short(self.before)} → {_short(self.after)}"

    @property
    def forbids(self) -> bool:
        """Whether runs that differ here are not comparable."""
        return self.what in _MUST_MATCH


def changes(baseline: Manifest, candidate: Manifest, gated: frozenset[str]) -> list[Change]:
    """Every fingerprint that differs; of metrics only those in `gated`, which the verdict rests on."""
    found = [
        *_leaves("dataset", "dataset", _content(baseline), _content(candidate)),
        *_target_changes(baseline, candidate),
    ]
    for name in sorted(gated):
        before, after = baseline.metrics.get(name), candidate.metrics.get(name)
        if before is None or after is None:
            missing = "the baseline" if before is None else "the candidate"
            found.append(Change("metric", f"metrics.{name}", before and before.text, f"missing in {missing}"))
            continue
        old, new = before.as_json(), after.as_json()
        found += _leaves("judge", f"metrics.{name}.judge", old.pop("judge"), new.pop("judge"))
        found += _leaves("model", f"metrics.{name}.model", old.pop("model", None), new.pop("model", None))
        found += [
            Change("judge" if after.judge is not None else "metric", change.field, change.before, change.after)
            for change in _leaves("metric", f"metrics.{name}", old, new)
        ]
    return found


def _content(manifest: Manifest) -> Mapping[str, Json]:
    """What a dataset holds, whatever its name; `count` differs alone where one run was limited."""
    return {"version": manifest.dataset["version"], "count": manifest.dataset["count"]}


def _target_changes(baseline: Manifest, candidate: Manifest) -> Iterator[Change]:
    for change in _leaves("model", "target", dict(baseline.target), dict(candidate.target)):
        what = change.what
        if change.field.startswith("target.prompt"):
            what = "prompt"
        elif change.field.startswith("target.model.parameters"):
            what = "decoding"
        elif change.field == "target.code":
            what = "code"
        elif change.field in ("target.file", "target.digest"):
            what = "outputs"
        elif candidate.target.get("kind") == "guard":
            what = "guard"
        yield Change(what, change.field, change.before, change.after)
    before, after = (_pinned_prompt(manifest) for manifest in (baseline, candidate))
    if before and after and before != after:
        yield Change("prompt", "target.prompt", before, after)


def _pinned_prompt(manifest: Manifest) -> str | None:
    """The version of a registered prompt."""
    return manifest.references.get(manifest.suite["target"].get("prompt"))


def _leaves(what: str, field: str, before: Json, after: Json) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted({*before, *after}):
            yield from _leaves(what, f"{field}.{name}", before.get(name), after.get(name))
        return
    yield Change(what, field, before, after)


def is_digest(value: Json) -> bool:
    """Whether it is a SHA-256."""
    return isinstance(value, str) and len(value) == 64 and all(letter in "0123456789abcdef" for letter in value)


def _short(value: Json) -> str:
    text = "none" if value is None else str(value)
    if is_digest(text):
        return text[:12]
    return text if len(text) <= 80 else text[:77] + "…"
