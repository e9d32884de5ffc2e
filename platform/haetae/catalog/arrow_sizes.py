"""How large the parts of an Arrow stream are, known before Arrow takes memory for them.

A stream is a row of messages: its schema, dictionaries and record batches. Of each the header, a flatbuffer, lists the
buffers that follow; those that are compressed start with their size when unpacked, which Arrow makes them keep to.
"""

from __future__ import annotations

import io
import struct
from typing import Any

MOST = 128 * 1024**2
"""Most bytes of one record batch."""
LIMIT_MESSAGE = f"a record batch is over the limit of {MOST // 1024**2} MB; write smaller ones (max_chunksize=1000)"

_HEADER = 2
"""The field of a message that holds what it is about."""
_DATA = 1
"""The field of a dictionary's header that holds a record batch."""
_BUFFERS, _COMPRESSION = 2, 3
"""Fields of a record batch."""


class Limited(io.FileIO):
    """A file of which nobody takes more than `MOST` bytes at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Raises OSError for more."""
        if size is None or not 0 <= size <= MOST:
            raise OSError(LIMIT_MESSAGE)
        return super().read(size)


def check_unpacked(message: Any) -> None:
    """Raises OSError where the buffers of a message unpack to over `MOST` bytes, or say nothing of the kind."""
    header, body = message.metadata, message.body
    try:
        table = _field(header, _target(header, 0), _HEADER)
        batch = _target(header, table)
        if message.type == "dictionary":
            batch = _target(header, _field(header, batch, _DATA))
        buffers = _field(header, batch, _BUFFERS)
        if not _field(header, batch, _COMPRESSION) or not buffers:
            return
        vector = _target(header, buffers)
        (count,) = struct.unpack_from("<I", header, vector)
        places = [struct.unpack_from("<qq", header, vector + 4 + 16 * index) for index in range(count)]
        sizes = [struct.unpack_from("<q", body, start)[0] for start, length in places if length]
    except struct.error as exc:
        raise OSError(f"a message does not say how large it is: {exc}") from exc
    if sum(max(size, 0) for size in sizes) > MOST:
        raise OSError(LIMIT_MESSAGE)


def _target(data: Any, at: int) -> int:
    """Where the offset that stands at a place of a flatbuffer leads."""
    return at + int(struct.unpack_from("<I", data, at)[0])


def _field(data: Any, table: int, number: int) -> int:
    """Where a field of a table of a flatbuffer stands; 0 where the table lacks it."""
    names = table - struct.unpack_from("<i", data, table)[0]
    (size,) = struct.unpack_from("<H", data, names)
    offset = struct.unpack_from("<H", data, names + 4 + 2 * number)[0] if 4 + 2 * number < size else 0
    return table + offset if offset else 0
