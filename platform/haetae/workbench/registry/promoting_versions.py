"""A version is promoted through the gates of all suites that use the alias: it moves only where all of them pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from haetae.core.clock import Clock
from haetae.core.reference import Kind, Reference, check_name
from haetae.core.registry import Version
from haetae.core.run import RunStatus
from haetae.engine.watch import Watcher
from haetae.errors import ConfigError, HaetaeError, RegistryError
from haetae.workbench.interrupted import by_a_signal
from haetae.workbench.registry.gated_move import Gated, GatedMove
from haetae.workbench.registry.overruling import given
from haetae.workbench.registry.using import Use, suites_using

if TYPE_CHECKING:
    from haetae.workbench.face.promoting import Promoting


def promote_version(
    bench: Promoting,
    clock: Clock,
    kind: Kind,
    reference: str,
    alias: str,
    places: Sequence[Path],
    *,
    reason: str | None,
    baseline: bool,
    watcher: Watcher | None,
    track: bool,
) -> GatedMove:
    """`promote_version` of `haetae.workbench.bench.Workbench`."""
    registry, written, reason = bench.ledger, Reference.parse(reference), given(reason)
    candidate = registry.find(kind, written)
    goal = Reference(candidate.name, check_name(alias))
    known = registry.versions(kind, candidate.name)
    outcome = GatedMove(candidate, alias, next((v.number for v in known if alias in v.aliases), None))
    if outcome.stands:
        return outcome
    uses = suites_using(places, bench.settings.env, kind, goal)
    if not uses and reason is None:
        raise ConfigError(
            f"no suite in {', '.join(map(str, places))} uses {kind} {goal}, so nothing would be checked; name the "
            "files or folders of those that do. To move it none the less: --force --reason WHY, or haetae alias"
        )
    for use in uses:
        outcome = replace(outcome, gated=(*outcome.gated, _gated(bench, use, candidate, watcher, track)))
        if (last := outcome.gated[-1].report) and by_a_signal(last.run):
            return outcome  # whoever interrupts a gate wants nothing moved
    passed = bool(uses) and all(gated.passed for gated in outcome.gated)
    if not passed and reason is None:
        return outcome
    verdicts = {gated.report.run.id: gated.verdict.value for gated in outcome.gated if gated.report}
    still = {goal: outcome.before, written: candidate.number}
    why = None if passed else reason
    try:
        move = registry.set_alias(
            kind,
            goal.name,
            alias,
            candidate.number,
            clock.now(),
            by="promote",
            verdicts=verdicts,
            reason=why,
            still=still,
        )
    except RegistryError as exc:
        moved = RegistryError(f"{exc}. Nothing was moved; the same command checks again what stands there now")
        moved.exit_code = 3
        raise moved from exc
    outcome = replace(outcome, move=move)
    return replace(outcome, baselines=_promoted(bench, outcome, reason)) if baseline else outcome


def _gated(bench: Promoting, use: Use, candidate: Version, watcher: Watcher | None, track: bool) -> Gated:
    """What the gate of a suite says of the candidate in the place of what the suite names."""
    suite, role = use.loaded.suite, f"target.{candidate.kind}"
    if others := [field for field in use.fields if field != role]:
        return Gated(suite.suite, why=_uncheckable(candidate.kind, others))
    if suite.gate is None:
        return Gated(suite.suite, why="the suite declares no gate; add one with its metrics")
    model, prompt = (candidate.reference if candidate.kind == kind else None for kind in ("model", "prompt"))
    try:
        report = bench.gate(use.loaded.path, watcher=watcher, track=track, model=model, prompt=prompt)
    except HaetaeError as exc:  # the other suites have their gates all the same
        return Gated(suite.suite, why=str(exc), code=exc.exit_code)
    return Gated(suite.suite, report)


def _uncheckable(kind: str, fields: Sequence[str]) -> str:
    said = f"the suite uses it in {', '.join(fields)}"
    if fields == ["target.guard"]:
        return f"{said}, and a gate puts no other {kind} into a guard; gate a guard file that names the candidate"
    return (
        f"{said}, and a gate compares answers under one judge, so it cannot say what another is worth; "
        "hold it against people: haetae judge agreement"
    )


def _promoted(bench: Promoting, outcome: GatedMove, reason: str | None) -> tuple[str, ...]:
    """The runs that became the baselines of their suites."""
    promoted = []
    for gated in outcome.gated:
        if gated.report and gated.report.run.status is RunStatus.FINISHED:
            run = gated.report.run
            promoted.append(bench.promote(run.id, run.manifest.suite["gate"]["baseline"], reason=reason).id)
    return tuple(promoted)
