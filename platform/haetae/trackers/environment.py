"""What the trackers' libraries read from the environment when they are imported.

Nothing leaves the machine that nobody asked for (telemetry, error reports, price lists), nothing is
printed over our own output, and a request that hangs gives up while people still wait for it. Whoever
has set a variable already is right.
"""

from __future__ import annotations

import os

_DEFAULTS = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_MODEL_CATALOG_URI": "",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_SILENT": "true",
}


def quiet() -> None:
    """Set what is not set. Called before the import, because the libraries read it then."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
