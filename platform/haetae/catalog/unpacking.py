"""Compressed files as streams of bytes, in memory that is bounded whatever they hold."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import PurePath
from typing import IO, Protocol

from haetae.errors import MissingExtra

PACKED = frozenset({".gz", ".bz2", ".xz", ".zst"})
_SLICE = 1024
"""How many packed bytes are read at once: zstandard, which knows no limit, makes 32 MB of so few at most."""
_MOST = 1024 * 1024
"""How many bytes are unpacked at once, where the format can be told."""
_WINDOW = 128 * 1024**2
"""How much memory the format may ask for, to look back in what was unpacked."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def is_packed(path: PurePath) -> bool:
    """Whether a file's name says that it is compressed."""
    return path.suffix.lower() in PACKED


def unpacked(raw: IO[bytes], path: PurePath) -> IO[bytes]:
    """The bytes of an open file, unpacked by its suffix; a plain file as it is.

    Reading raises OSError or EOFError where the file is broken or ends early. Raises MissingExtra for .zst without
    zstandard.
    """
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return io.BufferedReader(gzip.GzipFile(fileobj=raw))
    if suffix == ".bz2":
        return io.BufferedReader(_Unpacked(raw, bz2.BZ2Decompressor))
    if suffix == ".xz":
        return io.BufferedReader(_Unpacked(raw, lambda: lzma.LZMADecompressor(memlimit=_WINDOW)))
    if suffix == ".zst":
        return io.BufferedReader(_Unpacked(raw, _zstandard()))
    return raw


def _zstandard() -> Callable[[], _Decompressor]:
    try:
        from haetae.catalog.zstd import Decompressor
    except ImportError as exc:
        raise MissingExtra("zstandard", "zstd") from exc
    return lambda: Decompressor(_WINDOW)


class _Unpacked(io.RawIOBase):
    """One compressed stream after another, as programs write them that append or use several cores."""

    def __init__(self, raw: IO[bytes], start: Callable[[], _Decompressor]) -> None:
        self._raw = raw
        self._start = start
        self._current: _Decompressor | None = None
        self._packed = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # what io.BufferedReader hands over
        while not self._ready and self._advance():
            pass
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _advance(self) -> bool:
        """Unpack a little more; False at the end of the file."""
        packed = b""
        if self._current is None or self._current.needs_input:
            packed = self._packed or self._raw.read(_SLICE)
            self._packed = b""
            if not packed:
                if self._current is not None:
                    raise EOFError("the compressed file ends before its end-of-stream marker")
                return False
        current = self._current or self._start()
        try:
            self._ready = memoryview(current.decompress(packed, _MOST))
        except (lzma.LZMAError, MemoryError) as exc:
            raise OSError(f"not a whole compressed file: {exc}") from exc
        self._current = None if current.eof else current
        self._packed = current.unused_data if current.eof else b""
        return True
