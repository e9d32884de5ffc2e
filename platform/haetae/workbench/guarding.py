"""A guard file becomes a Cascade: its words, examples, functions, models and prompts found before the first text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from haetae.catalog.files import locate_folder
from haetae.catalog.guard_file import LoadedGuard, load_guard
from haetae.catalog.prompt_file import TEXT_SUFFIXES, YAML_SUFFIXES, load_prompt
from haetae.catalog.suite_file import LoadedSuite
from haetae.core.clock import Clock
from haetae.core.guard import GuardStage
from haetae.core.guard_spec import RulesSpec, StageSpec
from haetae.engine.functions import load_function
from haetae.errors import ConfigError, MissingExtra, Problem, TargetError
from haetae.metrics.judges.blocking import BlockingJudge
from haetae.targets.guards.cascade import Cascade
from haetae.targets.guards.function import TEXT, FunctionStage
from haetae.targets.guards.rules import Rules
from haetae.workbench.resolve import Resolver


def cascade(file: str, loaded: LoadedSuite, resolver: Resolver, clock: Clock) -> Cascade:
    """The guard in a file that a suite names. Raises ConfigError with the problems of every stage, at their lines."""
    guard = load_guard(loaded.locate("target.guard", file), loaded.root)
    stages: dict[str, GuardStage] = {}
    problems: list[Problem] = []
    for place, spec in enumerate(guard.spec.stages):
        try:
            stages[spec.name] = _KINDS[spec.kind](spec, guard, loaded, resolver)
        except ConfigError as exc:
            field = f"stages.{place}.{spec.kind}"
            problems += [p if p.file else guard.problem(field, p.message) for p in exc.problems]
    if problems:
        raise ConfigError(problems)
    return Cascade(stages, guard.spec.default, clock)


def _rules(spec: StageSpec, guard: LoadedGuard, loaded: LoadedSuite, resolver: Resolver) -> GuardStage:
    rules = spec.rules or RulesSpec()
    words: Sequence[str] = guard.lines(rules.words) if rules.words is not None else ()
    return Rules(words, rules.patterns, rules.decides, rules.normalise)


def _function(spec: StageSpec, guard: LoadedGuard, loaded: LoadedSuite, resolver: Resolver) -> GuardStage:
    name = str(spec.function)
    return FunctionStage(
        load_function(name, guard.path.parent, guard.root, TEXT),
        name,
        block_from=spec.block_from,
        pass_below=spec.pass_below,
        cost_usd=spec.cost_usd,
        timeout_s=loaded.suite.limits.timeout_s,
        meter=resolver.meter,
    )


def _similarity(spec: StageSpec, guard: LoadedGuard, loaded: LoadedSuite, resolver: Resolver) -> GuardStage:
    from haetae.targets.guards.similarity import Similarity  # with numpy, which only vectors need

    examples = guard.lines(str(spec.similarity))
    model = resolver.model(str(spec.model), TargetError)
    return Similarity(examples, model, float(spec.block_from or 0.0), spec.pass_below)


def _judge(spec: StageSpec, guard: LoadedGuard, loaded: LoadedSuite, resolver: Resolver) -> GuardStage:
    text = str(spec.judge)
    prompt = (
        load_prompt(guard.locate(text), guard.root)
        if Path(text).suffix in TEXT_SUFFIXES | YAML_SUFFIXES
        else resolver.prompt(text)
    )
    return BlockingJudge(prompt, resolver.model(str(spec.model), TargetError))


def _nemo(spec: StageSpec, guard: LoadedGuard, loaded: LoadedSuite, resolver: Resolver) -> GuardStage:
    folder = locate_folder(str(spec.nemo), folder=guard.path.parent, root=guard.root)
    try:
        from haetae.targets.guards.nemo import NemoStage
    except ImportError as exc:
        raise MissingExtra("nemoguardrails", "nemo") from exc
    return NemoStage(folder, cost_usd=spec.cost_usd, timeout_s=loaded.suite.limits.timeout_s)


_KINDS: dict[str, Callable[[StageSpec, LoadedGuard, LoadedSuite, Resolver], GuardStage]] = {
    "rules": _rules,
    "function": _function,
    "similarity": _similarity,
    "judge": _judge,
    "nemo": _nemo,
}
