"""Reading a picture of a sample: a regular file inside its folder, of a bounded size, and what its first bytes say.

It is read when the dataset is checked and again for every call, and must be the same both times.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from haetae.core.sample import Image

MAX_PICTURE = 5 * 1024**2
"""Largest picture, in bytes."""
MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
_FIRST_BYTES = (
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/gif", re.compile(rb"GIF8[79]a")),
    ("image/webp", re.compile(rb"RIFF....WEBP", re.DOTALL)),
)


class UnreadablePicture(Exception):
    """Why a picture cannot be shown to a model."""


def read_picture(folder: Path, path: str) -> bytes:
    """The bytes of a file that lies in the folder, links followed. Raises UnreadablePicture."""
    try:
        root = folder.resolve()
        real = (root / path).resolve()
        if not real.is_relative_to(root):
            raise UnreadablePicture(f"leads to {real}, which is outside the dataset's folder {root}")
        with _opened(root, real.relative_to(root)) as descriptor:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnreadablePicture(f"is not a regular file (at {real})")
            with open(descriptor, "rb", closefd=False) as stream:
                content = stream.read(MAX_PICTURE + 1)
    except FileNotFoundError:
        raise UnreadablePicture(f"does not exist (looked for {folder / path})") from None
    except (OSError, RuntimeError, ValueError) as exc:
        raise UnreadablePicture(f"cannot be read: {exc}") from exc
    if len(content) > MAX_PICTURE:
        raise UnreadablePicture(f"is over the limit of {MAX_PICTURE // 1024**2} MB")
    return content


@contextmanager
def _opened(root: Path, path: Path) -> Iterator[int]:
    """What lies at a path without links, opened part by part: OSError for a link that was put there since it was
    resolved. A pipe is opened, and not waited for.
    """
    place = os.open(root, os.O_RDONLY)
    try:
        for part in path.parts:
            inner = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
            os.close(place)
            place = inner
        yield place
    finally:
        os.close(place)


def media_type(content: bytes) -> str | None:
    """What a picture is by its first bytes: PNG, JPEG, GIF or WebP; None for everything else."""
    return next((kind for kind, mark in _FIRST_BYTES if mark.match(content)), None)


def picture_size(image: Image) -> int:
    """How many bytes of a sample's picture will be read at most; 0 where it cannot be found."""
    try:
        return min(os.stat(image.folder / image.path).st_size, MAX_PICTURE) if image.folder else 0
    except (OSError, ValueError):
        return 0


def picture_of(image: Image) -> bytes:
    """The bytes of a sample's picture, the very ones that were checked. Raises UnreadablePicture."""
    if image.folder is None:
        raise UnreadablePicture("only its record is left; the file is with the dataset")
    content = read_picture(image.folder, image.path)
    if hashlib.sha256(content).hexdigest() != image.sha256:
        raise UnreadablePicture("has changed since the dataset was checked")
    return content
