"""Postgres as its image starts it, from the binaries of this machine: the first time it makes its databases."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from composed import DEPLOY


class NotInstalled(Exception):
    """There are no binaries of Postgres on this machine."""


def binaries() -> Path:
    """The folder of the newest installed Postgres. Raises NotInstalled."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = shutil.which("initdb") or (installed[-1] if installed else None)
    if found is None:
        raise NotInstalled("Postgres is not installed here (initdb is missing): apt install postgresql")
    return Path(found).resolve().parent


def command(folder: Path, port: str, env: Mapping[str, str]) -> list[str]:
    """How the server is started in a folder, once its databases are made there."""
    folder.mkdir()
    secret = folder / "password"
    secret.write_text(env["POSTGRES_PASSWORD"])
    root = os.geteuid() == 0  # as root it does not run
    if root:
        shutil.chown(folder, "postgres")
        shutil.chown(secret, "postgres")
    as_postgres = ["runuser", "-u", "postgres", "--"] if root else []
    here = {"PGHOST": str(folder), "PGPORT": port, "PGUSER": "postgres"}
    data, where = str(folder / "data"), {**os.environ, **env, **here}

    def run(*words: str) -> None:
        done = subprocess.run(  # noqa: S603  # words of ours
            [*as_postgres, *words], cwd=folder, env=where, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{words[0]}: {done.stdout}{done.stderr}")

    bin_ = binaries()
    run(str(bin_ / "initdb"), "-D", data, "-U", "postgres", f"--pwfile={secret}", *env["POSTGRES_INITDB_ARGS"].split())
    secret.unlink()
    control = [str(bin_ / "pg_ctl"), "-D", data, "-w"]
    run(*control, "-l", f"{folder}/log", "-o", f"-k {folder} -p {port} -c listen_addresses=''", "start")
    run("sh", str(DEPLOY / "postgres" / "databases.sh"))
    run(*control, "-m", "fast", "stop")
    server = [str(bin_ / "postgres"), "-D", data, "-k", str(folder), "-p", port, "-c", "listen_addresses=127.0.0.1"]
    return [*as_postgres, *server]
