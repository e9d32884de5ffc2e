"""The pictures of a dataset's turns: paths of files in its folder become records of their content.

Nothing is fetched: an address, an absolute path and a way out of the folder are refused, as is a file that is no
PNG, JPEG, GIF or WebP or calls itself another than it is.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from haetae.catalog.rows import BadRow, Fault
from haetae.core.canonical import Json
from haetae.core.sample import Image
from haetae.engine.pictures import MEDIA_TYPES, UnreadablePicture, media_type, read_picture

MOST = 16
"""Pictures of one sample."""
MAX_TOGETHER = 20 * 1024**2
"""Bytes of all pictures of one sample."""
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_Stamp = tuple[int, int, int]


class Pictures:
    """The pictures in one folder. Each file is read once; its hash is kept, its bytes are not.

    Without a folder there can be none: only files of JSON lines may name pictures.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._known: dict[str, tuple[_Stamp, int, dict[str, Json]]] = {}

    @property
    def known(self) -> tuple[Image, ...]:
        """Those that were read, each once."""
        return tuple(Image(**record, folder=self._folder) for _, _, record in self._known.values())

    def attach(self, turns: list[dict[str, Json]]) -> None:
        """Put the records of its pictures into a sample's turns, in place. Raises BadRow with every fault."""
        faults: list[Fault] = []
        count, together = 0, 0
        for number, turn in enumerate(turns):
            records = []
            for place, path in enumerate(turn.get("images", ())):
                where = f"input.{number}.images.{place}"
                count += 1
                if count > MOST:
                    faults.append((where, f"a sample has at most {MOST} pictures"))
                    raise BadRow(faults)
                try:
                    size, record = self._record(path)
                except UnreadablePicture as exc:
                    faults.append((where, f"{path[:80]!r} {exc}"))
                    continue
                together += size
                records.append(record)
            if records:
                turn["images"] = records
        if together > MAX_TOGETHER:
            faults.append(("input", f"the sample's pictures are together over {MAX_TOGETHER // 1024**2} MB"))
        if faults:
            raise BadRow(faults)

    def _record(self, path: str) -> tuple[int, dict[str, Json]]:
        """(bytes, record) of a picture. Raises UnreadablePicture."""
        if self._folder is None:
            raise UnreadablePicture("cannot be named here: only .jsonl and .ndjson datasets have pictures")
        if fault := path_fault(path):
            raise UnreadablePicture(fault)
        stamp = _stamp(self._folder / path)
        if path in self._known:
            before, size, record = self._known[path]
            if before != stamp:
                raise UnreadablePicture("changed while the dataset was in use")
            return size, record
        content = read_picture(self._folder, path)
        named = MEDIA_TYPES.get(os.path.splitext(path)[1].lower())
        found = media_type(content)
        if found is None or found != named:
            what = f"holds {found}" if found else "is no PNG, JPEG, GIF or WebP"
            raise UnreadablePicture(f"{what}, and is called {os.path.basename(path)}")
        record = {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "media_type": found}
        self._known[path] = stamp, len(content), record
        return len(content), record


def has_pictures(turns: list[dict[str, Json]]) -> bool:
    """Whether a turn names one."""
    return any("images" in turn for turn in turns)


def path_fault(path: str) -> str | None:
    """Why a text is no path of a picture inside a folder, or None; it follows the path in messages."""
    if not path or not path.isprintable():
        return "is no path: expected printable text such as pics/cat.png"
    if address := _ADDRESS.match(path):
        return f"is an address ({address[0]}), and nothing is fetched: put the file into the dataset's folder"
    if path.startswith("/") or "\\" in path:
        return "is no path inside the dataset's folder: expected one such as pics/cat.png, with forward slashes"
    if any(part in ("", ".", "..") for part in path.split("/")):
        return "goes a way round: expected a plain path inside the dataset's folder, without . and .."
    return None


def _stamp(path: Path) -> _Stamp:
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        raise UnreadablePicture(f"does not exist (looked for {path})") from None
    except (OSError, ValueError) as exc:
        raise UnreadablePicture(f"cannot be read: {exc}") from exc
    return stat.st_size, stat.st_mtime_ns, stat.st_ino
