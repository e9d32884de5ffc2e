"""The error model: a failing sample is data, a wrong input is an exception with a place and a cure.

    HaetaeError
    ├── ConfigError      a suite, settings or reference is wrong; raised before the first call   exit 2
    │   └── MissingExtra an optional package is not installed; names the pip command            exit 2
    ├── DatasetError     samples cannot be read; raised before the first call                   exit 2
    │   └── NoSamplesError there are none                                                       exit 2, at a gate 3
    ├── RegistryError    a registered name, version or alias is missing or may not change       exit 2
    ├── TargetError      what is evaluated cannot be asked at all (wrong key, no such model)    exit 3
    ├── JudgeError       the judge cannot be asked at all                                       exit 3
    ├── StoreError       the ledger cannot be read or written                                   exit 3
    │   └── UnknownRunError it has no run of this name                                          exit 2
    └── TrackerError     a tracker refused; the outbox keeps the event and tries again          never an exit
        └── TrackerAway  it does not answer at all: nothing else is sent to it now              never an exit

Nothing else leaves this package on purpose: `boundary` turns whatever escapes a library into the
error of the boundary where it escaped, and keeps the original as its cause.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


class HaetaeError(Exception):
    """Base of every error raised on purpose. `exit_code` is what a command-line door exits with."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in one file.

    `line` and `column` count from 1; None where the file has no such place (a missing file, a
    database). `field` is the dotted path inside the file (`gate.metrics.rouge.max_drop`). `variable` is
    the environment variable that is not set, where that is all that is wrong.
    """

    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    field: str | None = None
    variable: str | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return ": ".join(part for part in (place, self.field, self.message) if part)


class ConfigError(HaetaeError):
    """A suite, a setting or a reference is wrong.

    Carries every problem found, sorted by place, so that twenty mistakes are mended in one go.
    """

    exit_code = 2

    def __init__(self, problems: str | Problem | Sequence[Problem]) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        if isinstance(problems, Problem):
            problems = (problems,)
        self.problems: tuple[Problem, ...] = tuple(
            sorted(problems, key=lambda p: (p.file or "", p.line or 0, p.column or 0))
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


class MissingExtra(ConfigError):
    """An optional package is not installed.

    The command that it names installs from the checkout: by its bare name, pip would ask a public index, where
    another project has the name.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; run in haetae's checkout: pip install -e '.[{extra}]'")


class DatasetError(ConfigError):
    """Samples cannot be read, or break the rules of a dataset."""


class NoSamplesError(DatasetError):
    """There is nothing to evaluate; at a gate that is no verdict (exit 3), never a pass."""


class RegistryError(ConfigError):
    """A registered name, version or alias is missing, or something immutable was to be changed."""


class TargetError(HaetaeError):
    """What is evaluated cannot be asked at all: every further call would fail the same way."""


class JudgeError(HaetaeError):
    """The judge cannot be asked at all: every further call would fail the same way."""


class StoreError(HaetaeError):
    """The ledger cannot be read or written."""


class UnknownRunError(StoreError):
    """The ledger has no run of this name: a wrong input, not a broken ledger."""

    exit_code = 2


class TrackerError(HaetaeError):
    """A tracker cannot take an event now; the outbox keeps it."""


class TrackerAway(TrackerError):
    """A tracker does not answer: whatever else waits for it would wait in vain."""


@contextmanager
def boundary(error: type[HaetaeError], what: str) -> Iterator[None]:
    """Turn whatever escapes the block into `error`, saying `what` was being done.

    Errors of this package pass through unchanged: they were classified nearer to their cause.
    """
    try:
        yield
    except HaetaeError:
        raise
    except Exception as exc:
        raise error(f"{what}: {type(exc).__name__}: {exc}") from exc
