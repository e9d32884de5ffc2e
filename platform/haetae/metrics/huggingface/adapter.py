"""The bridge to Hugging Face evaluate, in both directions: its modules score our suites, our metrics join its own.

right: evaluate/metrics/right                    # a folder that HAETAE_EVALUATE_FOLDERS allows
evaluate.combine([as_evaluate_metric(Chrf()), as_evaluate_metric(Rouge("L"))])
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from haetae.core.canonical import Json
from haetae.core.code_folder import CodeFolder
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.engine.functions import called
from haetae.errors import ConfigError
from haetae.metrics.choices import bounds, canonical, flag
from haetae.metrics.huggingface.export import as_evaluate_metric
from haetae.metrics.huggingface.module import columns, instance, load_module
from haetae.metrics.text import nfc, references

__all__ = ["Evaluate", "as_evaluate_metric"]


class Evaluate:
    """What a module of Hugging Face evaluate says of each sample alone, in `scale`.

    Source: https://github.com/huggingface/evaluate; the module is a folder with a script of the same name, and its
    code is run. Names of the hub are refused: they would be downloaded and run. `value` names which number is
    taken among those that the module returns, and may be left out where it returns one. `arguments` go to its
    `compute`, `config` is the configuration it is made with. The module is asked about one row at a time,
    through the check of its features, with a fixed seed; the mean over samples is not the corpus value of a
    module that has one (BLEU). What the module raises costs that sample its score; a value outside the scale
    is unscored with `out_of_range`, a call that exceeds the suite's `limits.timeout_s` with `timeout`. The files of
    the folder are part of the signature.
    """

    def __init__(
        self,
        folder: CodeFolder,
        *,
        value: str | None = None,
        scale: tuple[float, float] | list[float] = (0.0, 1.0),
        higher_is_better: bool = True,
        config: str | None = None,
        arguments: dict[str, Json] | None = None,
    ) -> None:
        self._low, self._high = bounds("evaluate", scale)
        self._which, self._arguments = value, arguments or {}
        module, code = load_module(folder, config)
        self._idle, self._made = module, {"module": type(module), "config": config}
        self._columns = columns(module, folder.name)
        taken = sorted(self._columns.keys() & self._arguments.keys())
        if taken:
            raise ConfigError(f"evaluate: {', '.join(taken)} comes from the samples, not from arguments")
        self._timeout_s = folder.timeout_s
        self._turns: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        self.facts = MetricFacts(
            text=canonical(
                "evaluate",
                folder.name,
                value=(value, None),
                scale=([self._low, self._high], [0.0, 1.0]),
                higher_is_better=(higher_is_better, True),
                config=(config, None),
                arguments=(self._arguments, {}),
            ),
            version="1",
            low=self._low,
            high=self._high,
            higher_is_better=flag("evaluate", "higher_is_better", higher_is_better),
            needs=frozenset({"reference"}) if "references" in self._columns else frozenset(),
            signature={"evaluate": version("evaluate"), "code": code, "seed": 0, "unicode": "NFC"},
        )

    async def score(self, sample: Sample, generation: Generation) -> Score:
        rows = {name: [self._cell(name, sample, generation)] for name in self._columns}
        async with self._turn():
            module, self._idle = self._idle or await self._called(instance, **self._made), None
            found = await self._called(self._compute, module=module, rows=rows)
        return Score.of(_value(found, self._which), self._low, self._high)

    async def _called(self, function: Callable[..., Any], **arguments: Any) -> Any:
        return await called(function, arguments, "the module", self._timeout_s)

    def _turn(self) -> asyncio.Lock:
        """One instance holds the rows of one call at a time. A lock belongs to the loop that waits for it."""
        loop = asyncio.get_running_loop()
        if self._turns is None or self._turns[0] is not loop:
            self._turns = (loop, asyncio.Lock())
        return self._turns[1]

    def _cell(self, column: str, sample: Sample, generation: Generation) -> str | list[str]:
        """What stands in a column: of several references the first where the module takes one."""
        if column == "references":
            texts = list(references(sample))
        else:
            texts = [nfc(sample.text if column == "sources" else generation.output)]
        return texts if self._columns[column] == "list" else texts[0]

    def _compute(self, module: Any, rows: Mapping[str, list[Any]]) -> Any:
        """The rows of a call that failed are not left behind; one that never ends keeps its instance to itself."""
        try:
            return module.compute(**rows, **self._arguments)
        except BaseException:
            module.writer = module.buf_writer = module.selected_feature_format = None
            raise
        finally:
            self._idle = module


def _value(found: Any, which: str | None) -> float:
    """The number of that name. Raises ConfigError, with the names there are, where it is not clear or not there."""
    if not isinstance(found, Mapping):
        raise TypeError(f"the module returned {type(found).__name__}, not a mapping of values")
    numbers = {str(name): number for name, value in found.items() if (number := _number(value)) is not None}
    if which is None and len(numbers) == 1:
        return next(iter(numbers.values()))
    if which is None or which not in numbers:
        listed = ", ".join(numbers) or "none"
        wish = "name one with value:" if which is None else f"value {which!r} is none of them"
        raise ConfigError(f"evaluate: the numbers that the module returns are {listed}; {wish}")
    return numbers[which]


def _number(value: Any) -> float | None:
    """A number, or a list of one: what modules with a score for each row return."""
    plain = value.tolist() if hasattr(value, "tolist") else value  # numpy's and torch's
    if isinstance(plain, list | tuple) and len(plain) == 1:
        plain = plain[0]
    return float(plain) if isinstance(plain, int | float) else None
