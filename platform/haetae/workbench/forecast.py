"""What a run will spend: as the last run that asked everything did, or from the length of its texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from haetae.core.canonical import Json, dumps
from haetae.core.generation import Usage
from haetae.core.ledger import Ledger
from haetae.core.run import Run, RunStatus
from haetae.workbench.assemble import Assembly

BYTES_A_TOKEN = 4
"""UTF-8 bytes of text per token: about right for English, and for Korean, whose syllables have three bytes."""
ANSWER_TOKENS = 200
"""Length of an answer where no reference says how long one is."""
CALLS_A_JUDGEMENT = 2
"""Calls of one judged score where its metric tells none: one to list claims or questions, and one to judge them."""
JUDGE_TOKENS = 300, 150
"""What a judge reads beside the sample (its rubric), and what it writes."""
_SAMPLES = 500
"""How many samples are measured; the rest is taken to be like them."""
_LOOK_BACK = 20
"""How many runs back one that asked everything is looked for."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Calls, tokens and dollars of a whole run. `tokens` and `cost_usd` are None where nothing tells.

    `basis` is the run that the figures are taken from, None where they are made from the texts.
    """

    calls: int
    tokens: int | None
    cost_usd: float | None
    basis: str | None


def forecast(assembly: Assembly, ledger: Ledger) -> Forecast:
    """What a run of this suite will spend if it reuses nothing."""
    last = _last_asked(assembly, ledger)
    if last is None:
        return _from_texts(assembly)
    spent, share = ledger.spent(last.id), assembly.total / last.total
    cost = None if spent.cost_usd is None or spent.unpriced_calls else spent.cost_usd * share
    return Forecast(round(spent.calls * share), round(spent.tokens * share), cost, last.id)


def _last_asked(assembly: Assembly, ledger: Ledger) -> Run | None:
    """The last finished run of the same target and metrics that reused no answer and left no sample out."""
    for run in ledger.runs(assembly.suite.suite, limit=_LOOK_BACK):
        alike = run.manifest.target == assembly.manifest.target and run.manifest.metrics == assembly.manifest.metrics
        if alike and run.status is RunStatus.FINISHED and _asked_everything(ledger, run):
            return run
    return None


def _asked_everything(ledger: Ledger, run: Run) -> bool:
    return ledger.spent(run.id).reused == 0 and all(account.not_run == 0 for account in ledger.accounting(run.id))


def calls_of(assembly: Assembly) -> list[tuple[int, Mapping[str, Json]]]:
    """How often a run that reuses nothing asks each model that it knows of: target, judges, readers, by fingerprint."""
    model = assembly.manifest.target.get("model")
    target = [] if assembly.target.free or model is None else [(assembly.total, model)]
    return [*target, *_judgements(assembly), *((assembly.total, reader) for reader in _readers(assembly))]


def _judgements(assembly: Assembly) -> list[tuple[int, Mapping[str, Json]]]:
    return [
        (assembly.total * (facts.calls or CALLS_A_JUDGEMENT) // len(facts.judges), judge)
        for facts in assembly.manifest.metrics.values()
        for judge in facts.judges
    ]


def _readers(assembly: Assembly) -> list[Mapping[str, Json]]:
    return [facts.model for facts in assembly.manifest.metrics.values() if facts.model is not None]


def _from_texts(assembly: Assembly) -> Forecast:
    judgements, readers = _judgements(assembly), _readers(assembly)
    target_calls = 0 if assembly.target.free else assembly.total
    calls = target_calls + sum(times for times, _ in judgements) + assembly.total * len(readers)
    if calls == 0:
        return Forecast(0, 0, 0.0, None)
    model = assembly.manifest.target.get("model")
    if target_calls and model is None:  # a function: what it asks is its own affair
        return Forecast(calls, None, None, None)
    asked, answer = _lengths(assembly)
    rubric, verdict = JUDGE_TOKENS
    spending = [(times, judge, Usage(input=asked + answer + rubric, output=verdict)) for times, judge in judgements]
    spending += [(assembly.total, reader, Usage(input=asked + answer)) for reader in readers]
    if model is not None:
        spending.append((target_calls, model, Usage(input=asked, output=answer)))
    cost: float | None = 0.0
    for times, fingerprint, usage in spending:
        price = assembly.resolver.price(fingerprint)
        cost = None if cost is None or price is None else cost + times * price.of(usage)
    return Forecast(calls, sum(times * usage.total for times, _, usage in spending), cost, None)


def _lengths(assembly: Assembly) -> tuple[int, int]:
    """Mean tokens of a request and of an answer."""
    samples = list(islice(assembly.dataset, _SAMPLES))
    target = assembly.target  # of recorded outputs the request is an id, and only a judge reads the sample
    asked = _mean_tokens(dumps(s.as_json() if target.free else target.request(s)) for s in samples)
    references = [reference for sample in samples for reference in sample.references]
    return asked, _mean_tokens(references) if references else ANSWER_TOKENS


def _mean_tokens(texts: Iterable[str]) -> int:
    sizes = [len(text.encode("utf-8", "surrogatepass")) for text in texts]
    return max(1, round(sum(sizes) / len(sizes) / BYTES_A_TOKEN))
