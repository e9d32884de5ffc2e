"""A flow run's end is said once, by its state.

Prefect's engine raises a failed end once more where a deployment is run, and logs it with a traceback, as it does every
error of ours. Whoever reads that takes it for a crash.
"""

from __future__ import annotations

import logging

from prefect.exceptions import CancelledRun, FailedRun

from haetae import HaetaeError

_LOGGERS = ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")
_AGAIN = "exited with unexpected exception"


def say_it_once() -> None:
    """In this process, from now on."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_news)  # the same one is added once


def _is_news(record: logging.LogRecord) -> bool:
    """Whether it was not said before; an error of ours is a sentence, and loses its traceback."""
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, FailedRun | CancelledRun | HaetaeError):
        return True
    record.exc_info = None
    return _AGAIN not in record.getMessage()
