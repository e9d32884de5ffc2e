"""A Suite: dataset × target × metrics × slices × gate × schedule, as a frozen specification.

These are the shapes of a suite file, checked strictly: an unknown key, a wrong type or a value out
of range is an error, never coerced. `haetae.catalog` reads files and adds the places of errors.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from haetae.core.canonical import Json, digest


class Spec(BaseModel):
    """Frozen, strict, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class TargetSpec(Spec):
    """What is evaluated: a model with a prompt, or a Python function, or recorded outputs, or a guard."""

    model: str | None = Field(None, description="a registered model: name@alias, name@3 or mlflow:name@alias")
    prompt: str | None = Field(None, description="a registered prompt, or the path of a prompt file")
    function: str | None = Field(None, description="a Python callable, sync or async: module:function")
    outputs: str | None = Field(None, description="recorded outputs: the path of a JSONL file joined by id")
    guard: str | None = Field(None, description="a cascade of validators: the path of a guard file")
    repeats: int = Field(1, ge=1, le=100, description="how often each sample is asked")

    @model_validator(mode="after")
    def _one_kind(self) -> TargetSpec:
        chosen = [name for name in ("model", "function", "outputs", "guard") if getattr(self, name) is not None]
        if len(chosen) != 1:
            found = " and ".join(chosen) or "none"
            raise ValueError(f"name exactly one of model, function, outputs or guard; found {found}")
        if self.prompt is not None and self.model is None:
            raise ValueError("a prompt goes with a model")
        if self.function is not None and ":" not in self.function:
            raise ValueError("function is written module:function")
        return self


class MetricGate(Spec):
    """What one metric must keep. Values are in the metric's own units.

    Scores are compared on their declared range scaled to 0…1, so `max_drop: 0.02` is 2 points of 100
    on every bounded metric; for a metric without an upper bound (cost, latency, tokens, perplexity)
    it is in the metric's own unit.
    """

    max_drop: Annotated[float, Field(ge=0)] | None = Field(None, description="tolerance: how much worse is still fine")
    min: float | None = Field(None, description="the estimate may not be below this")
    max: float | None = Field(None, description="the estimate may not be above this")
    by: str | None = Field(None, description="gate every slice of this key as well as the whole")


class TopUpSpec(Spec):
    """More samples where the first ones settle nothing."""

    add: int = Field(ge=1, description="samples beyond `limit`; runs that become baselines score them too")


class GateSpec(Spec):
    """When a candidate passes."""

    baseline: str = Field("production", description="a named baseline of this suite")
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = Field(0.05, description="false alarms over the whole gate")
    max_drop: Share = Field(0.03, description="tolerance of metrics that declare none")
    coverage: Share = Field(0.95, description="share of samples that must be scored for a verdict")
    metrics: dict[str, MetricGate] = Field(default_factory=dict, min_length=1)
    sequential: bool | None = Field(
        None, description="stop asking at the look that decides; default for suites with a judge or a budget"
    )
    looks: int = Field(10, ge=1, le=50, description="how often a sequential gate looks at what there is")
    on_inconclusive: TopUpSpec | None = None


class ScheduleSpec(Spec):
    """When scheduled runs start."""

    cron: str = Field(description="minute, hour, day of month, month, day of week: 0 6 * * *")
    timezone: str = Field("UTC", description="whose clock shows that time: Asia/Seoul")
    missed: Literal["once", "skip"] = Field(
        "once", description="what was due while nothing could run: one run for all of it, or none"
    )

    @field_validator("cron")
    @classmethod
    def _comes_due(cls, cron: str) -> str:
        from haetae.core.calendar import cron_fault  # needed where there is a schedule

        if fault := cron_fault(cron):
            raise ValueError(fault)
        return cron

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, timezone: str) -> str:
        from haetae.core.calendar import zone_fault

        if fault := zone_fault(timezone):
            raise ValueError(fault)
        return timezone


class BudgetSpec(Spec):
    """Where a run stops before spending more."""

    usd: Positive | None = None
    calls: Annotated[int, Field(ge=1)] | None = None
    tokens: Annotated[int, Field(ge=1)] | None = None


class LimitSpec(Spec):
    """How hard the endpoints are asked, and how long they are waited for."""

    in_flight: int = Field(32, ge=1, le=4096, description="calls under way at once, at most")
    least_in_flight: int = Field(1, ge=1, le=4096, description="calls under way at once however slow the endpoint gets")
    timeout_s: Positive = Field(60.0, description="deadline of one attempt, all its bytes included")
    tries: int = Field(5, ge=1, le=20, description="attempts per call")
    call_deadline_s: Positive = Field(900.0, description="deadline of one call from its first attempt on, all included")
    run_deadline_s: Positive | None = Field(None, description="no call is started after it, and none goes on for long")
    hedge_after_s: Positive | None = Field(
        None, description="ask a second time what has no answer by then, and take the first answer"
    )

    @model_validator(mode="after")
    def _least_below_most(self) -> LimitSpec:
        if self.least_in_flight > self.in_flight:
            raise ValueError(f"least_in_flight is {self.least_in_flight}, above in_flight, which is {self.in_flight}")
        return self

    @model_validator(mode="after")
    def _each_can_come_true(self) -> LimitSpec:
        """What would never happen is refused; a deadline only where both are written, as the other has a default."""
        if self.hedge_after_s is not None and self.hedge_after_s >= self.timeout_s:
            over = f"by then an attempt is over: timeout_s is {self.timeout_s:g}"
            raise ValueError(f"hedge_after_s: {self.hedge_after_s:g} would never happen, {over}")
        both_written = {"call_deadline_s", "timeout_s"} <= self.model_fields_set
        if both_written and self.call_deadline_s < self.timeout_s:
            over = f"is below timeout_s, which is {self.timeout_s:g} and would never be reached"
            raise ValueError(f"call_deadline_s: {self.call_deadline_s:g} {over}")
        return self


class Suite(Spec):
    """One suite file."""

    suite: str = Field(description="the name of the suite")
    dataset: str = Field(description="a path, or a registered name: support@3, support@sha256:…")
    target: TargetSpec
    metrics: dict[str, str | dict[str, Any]] = Field(
        min_length=1, description="the key is the name that gates and charts use"
    )
    judge: str | None = Field(
        None, description="the registered model that judged metrics ask unless they name their own"
    )
    embeddings: str | None = Field(None, description="the registered model whose embeddings metrics use")
    slices: list[str] = Field(default_factory=list, description="metadata keys; each value is a slice")
    cluster: str | None = Field(
        None, description="metadata key of samples that are not independent: a document, a conversation"
    )
    limit: Annotated[int, Field(ge=0)] | None = Field(None, description="only the first samples")
    gate: GateSpec | None = None
    schedule: ScheduleSpec | None = None
    track: list[Literal["mlflow", "wandb"]] = Field(default_factory=list)
    alert: list[Literal["regression", "recovery", "no_verdict", "missed", "budget", "alarm"]] | None = Field(
        None, description="changes that people are told of; default all, where HAETAE_ALERTS says whom"
    )
    budget: BudgetSpec | None = None
    limits: LimitSpec = LimitSpec()

    @model_validator(mode="after")
    def _gated_metrics_exist(self) -> Suite:
        if self.gate and self.gate.on_inconclusive and self.limit is None:
            raise ValueError("gate.on_inconclusive: adds samples beyond limit, and there is no limit")
        if self.gate:
            for name, gate in self.gate.metrics.items():
                if name not in self.metrics:
                    raise ValueError(
                        f"gate.metrics.{name}: no metric of that name; the suite has {', '.join(self.metrics)}"
                    )
                if gate.by is not None and gate.by not in self.slices:
                    raise ValueError(
                        f"gate.metrics.{name}.by: {gate.by!r} is not one of slices: {', '.join(self.slices) or 'none'}"
                    )
        return self

    @property
    def most_samples(self) -> int | None:
        """How many samples of the dataset are used at most; None for all."""
        more = self.gate.on_inconclusive.add if self.gate and self.gate.on_inconclusive else 0
        return None if self.limit is None else self.limit + more

    def as_json(self) -> Json:
        """The specification with its defaults, as one JSON object."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def digest(self) -> str:
        """SHA-256 of the specification: comments and spelling of the file do not change it."""
        return digest(self.as_json())
