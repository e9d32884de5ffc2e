"""The trackers by name, opened lightly: a server that does not answer is found before its library is loaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from haetae.errors import MissingExtra
from haetae.trackers.patience import USUAL, Patience

if TYPE_CHECKING:
    from haetae.trackers.mlflow import MlflowTracker
    from haetae.trackers.wandb import WandbTracker


def open_mlflow(tracking_uri: str, *, experiment_prefix: str = "haetae", patience: Patience = USUAL) -> MlflowTracker:
    """The tracker of an MLflow server or database.

    Raises TrackerAway when it does not answer, MissingExtra when MLflow is not installed.
    """
    from haetae.trackers.reach import QUESTION_TO_MLFLOW, check_reachable  # with an HTTP client, for those who track

    check_reachable(tracking_uri, patience.there_s, QUESTION_TO_MLFLOW)
    try:
        from haetae.trackers.mlflow import MlflowTracker
    except ModuleNotFoundError as exc:
        raise MissingExtra(exc.name or "mlflow", "mlflow") from exc
    return MlflowTracker(tracking_uri, experiment_prefix=experiment_prefix, patience=patience)


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
