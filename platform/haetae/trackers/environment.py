"""What the trackers' libraries read from the environment when they are imported.

Nothing leaves the machine that nobody asked for (telemetry, error reports, price lists), nothing is
printed over our own output, and a request that hangs gives up while people still wait for it. Whoever
has set a variable already is right.
"""

from __future__ import annotations

import os

from haetae.trackers.patience import Patience

_DEFAULTS = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_MODEL_CATALOG_URI": "",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_SILENT": "true",
}

_ours: dict[str, str] = {}
"""What was set here of that which is set again and again."""


def quiet() -> None:
    """Set what is not set. Called before the import, because the libraries read it then."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)


def wait_for_mlflow(patience: Patience) -> None:
    """How long MLflow's client waits for an answer, and how often it asks again: it looks at every request."""
    wanted = {
        "MLFLOW_HTTP_REQUEST_TIMEOUT": f"{patience.answer_s:.0f}",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(patience.retries),
    }
    for name, value in wanted.items():
        if os.environ.get(name) == _ours.get(name):
            os.environ[name] = _ours[name] = value
