"""The stack of compose.yaml on this machine, without containers: started, used for one scheduled night, taken down.

    make stack            # or: python deploy/stack.py
    make stack KEEP=1     # stays until Ctrl-C

Every process has the command, the environment, the health check and the order that compose.yaml gives it; only where
things are is different (composed.py).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import local_postgres
import night
from composed import DEPLOY, NotSet, Service, services
from fresh_env import lines

_STARTING_S = 300


class Died(Exception):
    """A service ended, or did not become well; with the end of its log."""


class Stack:
    """The processes of the services, started in their order."""

    def __init__(self, folder: Path, parts: dict[str, Service]) -> None:
        self.folder, self.parts = folder, parts
        self.began = time.monotonic()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._well: set[str] = set()
        path = [
            Path(sys.executable).parent,
            local_postgres.binaries(),
            "/usr/local/bin",
            "/usr/sbin",
            "/usr/bin",
            "/bin",
        ]
        self._base = {"PATH": os.pathsep.join(map(str, path)), "HOME": str(folder), "LANG": "C.UTF-8"}

    def say(self, text: str) -> None:
        """A line with the seconds since the start."""
        print(f"{time.monotonic() - self.began:6.1f} s  {text}", flush=True)  # noqa: T201  # what a person waits for

    def up(self) -> None:
        """Start every service when what it needs is well. Raises Died."""
        while len(self._well) < len(self.parts):
            if time.monotonic() - self.began > _STARTING_S:
                raise Died(f"after {_STARTING_S} s these are not well: {sorted(self.parts.keys() - self._well)}")
            for name, part in self.parts.items():
                if name not in self._running and part.after.keys() <= self._well:
                    self._start(part)
                elif name in self._running and name not in self._well and self._is_well(part):
                    self._well.add(name)
                    self.say(f"{name} is well" if part.check or name in self.lasting() else f"{name} has done its work")
            time.sleep(0.2)

    def lasting(self) -> set[str]:
        """The services that stay: none waits for their end."""
        done = {
            other for part in self.parts.values() for other, how in part.after.items() if how.endswith("successfully")
        }
        return set(self.parts) - done

    def check(self) -> None:
        """Raises Died where a service that stays has ended."""
        for name in self._running.keys() & self.lasting():
            if self._running[name].poll() is not None:
                raise Died(f"{name} ended with {self._running[name].returncode}:\n{self._log(name)}")

    def down(self) -> None:
        """End everything, what was started last first."""
        for name, process in reversed(self._running.items()):
            # Postgres' word for it: its image is stopped with SIGINT too
            self._signal(process, signal.SIGINT if name == "postgres" else signal.SIGTERM)
        for process in reversed(self._running.values()):
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            self._signal(process, signal.SIGKILL)  # the group: what a process left behind
            process.wait()
        self.say("all is down")

    def _start(self, part: Service) -> None:
        command = part.command
        if part.name == "postgres":
            port = next(word for word in part.check or [] if word.startswith("--port=")).removeprefix("--port=")
            command = local_postgres.command(self.folder / "postgres", port, part.env)
        env = {**self._base, **part.env, "TMPDIR": str(self.folder / "tmp")}
        with (self.folder / f"{part.name}.log").open("wb") as log:
            self._running[part.name] = subprocess.Popen(  # noqa: S603  # what compose.yaml says
                command, cwd=self.folder / part.folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def _is_well(self, part: Service) -> bool:
        code = self._running[part.name].poll()
        if code is not None and (code or part.name in self.lasting()):
            raise Died(f"{part.name} ended with {code}:\n{self._log(part.name)}")
        if part.check is None:
            return code == 0 or part.name in self.lasting()
        env = {**self._base, **part.env}
        done = subprocess.run(part.check, env=env, capture_output=True, check=False, timeout=30)  # noqa: S603
        return done.returncode == 0

    def _log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text("utf-8", "replace")[-3000:]

    @staticmethod
    def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return


def composed_here(folder: Path, values: dict[str, str]) -> dict[str, Service]:
    """The services of compose.yaml; and, before the suites are deployed, a first run that becomes the baseline."""
    parts = services(DEPLOY / "compose.yaml", values, folder)
    baseline = Service("baseline", ["sh", "-ec", night.BASELINE], parts["deploy"].folder, parts["deploy"].env, None,
                       {"postgres": "service_healthy"})  # fmt: skip
    after = {**parts["deploy"].after, "baseline": "service_completed_successfully"}
    return {**parts, "baseline": baseline, "deploy": replace(parts["deploy"], after=after)}


def main(keep: bool) -> int:
    """Start, look at one night, and take down. The exit code says whether all went as it should."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="haetae-stack-"))
    folder.chmod(0o711)  # Postgres has a user of its own
    (folder / "tmp").mkdir()
    values = dict(line.split("=", 1) for line in lines() if line and not line.startswith("#"))
    values["HAETAE_SUITES"] = str(night.suites(folder / "suites"))
    try:
        stack = Stack(folder, composed_here(folder, values))
    except (NotSet, local_postgres.NotInstalled) as exc:
        sys.exit(f"stack: {exc}")
    try:
        stack.up()
        night.play(stack, values)
        if keep:
            stack.say("it stays until Ctrl-C")
            while True:
                stack.check()
                time.sleep(1)
    except (Died, night.Amiss) as exc:
        stack.say(f"amiss: {exc}")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main("--keep" in sys.argv[1:]))
