"""A URL apart from the user and password in it: they go to its server in a header, and are shown to nobody."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit


def without_login(url: str) -> tuple[str, str | None]:
    """The URL of a server without its login, and the login as `user:password`, None where it has none.

    Raises ValueError where no host and port can be read, in words that repeat nothing of it: what stands in the
    place of a port may be a piece of a password.
    """
    try:
        parts = urlsplit(url)
        readable = parts.hostname is not None and (parts.port is None or parts.port > 0)
    except ValueError:
        readable = False
    if not readable:
        raise ValueError("its host and port cannot be read; in a password / is written %2F, @ %40, # %23 and ? %3F")
    login, at, place = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    return parts._replace(netloc=place).geturl(), f"{unquote(user)}:{unquote(password)}" if at else None
