"""The trackers by name, opened lightly: a server that does not answer is found before its library is loaded."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from haetae.core.secrets import redact
from haetae.errors import MissingExtra, TrackerError
from haetae.trackers.patience import USUAL, Patience

if TYPE_CHECKING:
    from haetae.trackers.mlflow import MlflowTracker
    from haetae.trackers.wandb import WandbTracker

_REFUSED_SINCE: Final = "3.13"
_ALLOWED: Final = "MLFLOW_ALLOW_FILE_STORE"


def open_mlflow(tracking_uri: str, *, experiment_prefix: str = "haetae", patience: Patience = USUAL) -> MlflowTracker:
    """The tracker of an MLflow server or database.

    Raises TrackerAway when it does not answer, MissingExtra when MLflow is not installed, and TrackerError for a folder
    of files, which MLflow refuses.
    """
    from haetae.trackers.reach import QUESTION_TO_MLFLOW, check_reachable  # with an HTTP client, for those who track

    check_reachable(tracking_uri, patience.there_s, QUESTION_TO_MLFLOW)
    try:
        _refuse_folder(tracking_uri)
        from haetae.trackers.mlflow import MlflowTracker
    except ModuleNotFoundError as exc:
        raise MissingExtra(exc.name or "mlflow", "mlflow") from exc
    return MlflowTracker(tracking_uri, experiment_prefix=experiment_prefix, patience=patience)


def _refuse_folder(uri: str) -> None:
    """Raise TrackerError for a folder of files, unless somebody allowed it as MLflow says."""
    scheme = urlsplit(uri).scheme
    if scheme not in ("", "file") or os.environ.get(_ALLOWED, "").lower() in {"true", "1"}:
        return
    raise TrackerError(
        f"opening MLflow at {redact(uri)}: MLflow {version('mlflow')} keeps nothing in a folder of files, as none does "
        f"since {_REFUSED_SINCE}; name a database (HAETAE_MLFLOW=sqlite:///path/of/mlflow.db) or the address of a "
        "server; mlflow migrate-filestore brings over what is there"
    )


def open_wandb(
    directory: str | Path,
    *,
    project: str = "haetae",
    mode: Literal["offline", "online"] = "offline",
    patience: Patience = USUAL,
) -> WandbTracker:
    """The tracker of W&B.

    Raises TrackerAway when its server does not answer, MissingExtra when wandb is not installed.
    """
    if mode == "online":
        from haetae.trackers.reach import check_reachable
        from haetae.trackers.wandb_account import address

        check_reachable(address(os.environ), patience.there_s)
    try:
        from haetae.trackers.wandb import WandbTracker
    except ModuleNotFoundError as exc:
        raise MissingExtra(exc.name or "wandb", "wandb") from exc
    return WandbTracker(directory, project=project, mode=mode)
