"""W&B as a tracker. Offline by default: the folder that `wandb sync` sends is the receipt."""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from haetae.core.canonical import dumps
from haetae.core.secrets import redact
from haetae.core.tracker import RunRecord
from haetae.errors import TrackerError
from haetae.trackers import record as told
from haetae.trackers.environment import quiet

quiet()

import wandb  # noqa: E402  # wandb reads its environment when it is imported
from wandb.errors import AuthenticationError, UsageError  # noqa: E402
from wandb.proto import wandb_internal_pb2  # noqa: E402

_FINISH_S = 30.0
_INIT_S = 20.0
_BLOCK = 32768
_LONGEST = 300


class WandbTracker:
    """Tells W&B, from below `directory` (made when missing).

    A run's id comes from the delivery's key: a second delivery finds the offline folder of the first, ended, and does
    nothing; online, and after a first one that was cut off, it sends the same run again. `finish` waits at
    most 30 s; what it has not sent by then stays in the folder.
    """

    name = "wandb"

    def __init__(
        self, directory: str | Path, project: str = "haetae", mode: Literal["offline", "online"] = "offline"
    ) -> None:
        self.directory = Path(directory).absolute()
        self.project = project
        self.mode = mode

    def deliver(self, record: RunRecord, key: str) -> str:
        """The run's folder (offline) or address (online). Raises TrackerError when W&B cannot take it now."""
        run_id = hashlib.sha256(key.encode()).hexdigest()[:16]
        if (done := self._delivered(run_id)) is not None:
            return str(done)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            # artifacts wait here until they are sent; the default is the home folder, which may not outlive us
            os.environ.setdefault("WANDB_DATA_DIR", str(self.directory / "wandb"))
            run = self._start(record, run_id)
        except (AuthenticationError, UsageError) as exc:
            raise TrackerError(f"W&B refuses the key: check WANDB_API_KEY ({_brief(exc)})") from exc
        except Exception as exc:
            raise TrackerError(f"W&B cannot be told: {type(exc).__name__}: {_brief(exc)}") from exc
        return self._tell(run, record)

    def _delivered(self, run_id: str) -> Path | None:
        """The folder of an earlier delivery that came to its end.

        Online there is none to go by: what lies here was written before it was sent, also where nothing could be.
        W&B takes a run that is sent again under its id for the same.
        """
        if self.mode == "online":
            return None
        written = self.directory.glob(f"wandb/offline-run-*-{run_id}*/run-{run_id}.wandb")
        return next((log.parent for log in sorted(written) if exit_code(log) == 0), None)

    def _start(self, record: RunRecord, run_id: str) -> Any:
        ended = record.run.finished_at
        config = told.settings(record) | {
            "started_at": record.run.started_at.isoformat(),
            "finished_at": ended.isoformat() if ended else None,
        }
        return wandb.init(
            project=self.project,
            dir=str(self.directory),
            id=run_id,
            name=record.run.id,
            group=record.run.suite,
            job_type="evaluation",
            config=config,
            mode=self.mode,
            resume="allow" if self.mode == "online" else None,
            reinit="create_new",  # without it wandb hands back whatever run is open
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                x_disable_stats=True,
                x_disable_meta=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
                init_timeout=_INIT_S,
                finish_timeout=_FINISH_S,
                finish_timeout_raises=True,
            ),
        )

    def _tell(self, run: Any, record: RunRecord) -> str:
        log, address = Path(run.settings.sync_file), run.url
        problem: Exception | None = None
        try:
            self._log(run, record)
        except Exception as exc:  # finish comes first, whatever happened
            problem = exc
        try:
            run.finish(exit_code=0 if problem is None else 1)
            _wait_for_end(log)
        except Exception as exc:
            problem = problem or exc
        if problem is not None:
            said = f"{type(problem).__name__}: {_brief(problem)}"
            raise TrackerError(f"W&B did not finish: {said}; its data is kept in {log.parent}") from problem
        return str(log.parent) if self.mode == "offline" or not address else str(address)

    def _log(self, run: Any, record: RunRecord) -> None:
        metrics = list(record.run.manifest.metrics)
        rows = told.rows(record.results, metrics)
        run.summary.update(told.numbers(record) | {f"haetae.{k}": v for k, v in told.verdict_facts(record).items()})
        if rows:
            columns: list[str | int] = list(rows[0])
            table = wandb.Table(columns=columns, data=[list(row.values()) for row in rows], allow_mixed_types=True)
            run.log({"samples": table})
        artifact = wandb.Artifact(f"samples-{run.id}", type="samples", metadata={"run": record.run.id})
        with tempfile.TemporaryDirectory() as scratch:
            lines = Path(scratch) / "samples.jsonl"
            lines.write_text("".join(dumps(row) + "\n" for row in rows), encoding="utf-8")
            suite = Path(scratch) / "suite.yaml"
            suite.write_text(told.printable(redact(record.suite_text)), encoding="utf-8")
            artifact.add_file(str(lines))
            artifact.add_file(str(suite))
            run.log_artifact(artifact)


def _brief(exc: Exception) -> str:
    """What an error says, without the page that a server may have sent with it."""
    return textwrap.shorten(redact(str(exc)), _LONGEST, placeholder=" …")


def _wait_for_end(log: Path) -> None:
    """Return when the run's end is on disk: wandb's `finish` returns before its other process has written it."""
    give_up = time.monotonic() + _FINISH_S
    while exit_code(log) is None:
        if time.monotonic() > give_up:
            raise TimeoutError("the end of the run was not written")
        time.sleep(0.02)  # nothing else tells when that process has written


def exit_code(log: Path) -> int | None:
    """How the run in this `.wandb` file ended; None while its end is not written."""
    return next((int(entry.exit.exit_code) for entry in entries(log) if entry.HasField("exit")), None)


def entries(path: Path) -> Iterator[Any]:
    """The records of a `.wandb` file as far as it was written.

    The framing is LevelDB's log format behind a header of 7 bytes: blocks of 32 KiB; each piece has
    checksum, length and kind (1 whole, 2 first, 3 middle, 4 last).
    """
    try:
        data = path.read_bytes()
    except OSError:
        return
    place, parts = 7, b""
    while place + 7 <= len(data):
        if (room := _BLOCK - place % _BLOCK) < 7:
            place += room
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        piece = data[place + 7 : place + 7 + length]
        if kind not in (1, 2, 3, 4) or len(piece) < length:
            return
        place += 7 + length
        parts = piece if kind in (1, 2) else parts + piece
        if kind in (1, 4):
            entry = wandb_internal_pb2.Record()  # type: ignore[attr-defined]  # made at run time by protobuf
            entry.ParseFromString(parts)
            yield entry
