"""Zstandard as the decompressors of the standard library do it; loaded only for a .zst file."""

from __future__ import annotations

import zstandard


class Decompressor:
    """Unpacks one stream."""

    needs_input = True

    def __init__(self, window: int) -> None:
        self._stream = zstandard.ZstdDecompressor(max_window_size=window).decompressobj()

    @property
    def eof(self) -> bool:
        """Whether the stream is whole."""
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        """What came after its end."""
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """All that the data make: zstandard has no way to make a part. Raises OSError for what is not its format."""
        try:
            return self._stream.decompress(data)
        except zstandard.ZstdError as exc:
            raise OSError(f"not a whole zstandard file: {exc}") from exc
