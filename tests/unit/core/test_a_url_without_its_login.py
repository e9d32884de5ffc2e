"""A URL apart from the user and password in it."""

from __future__ import annotations

import pytest

from haetae.core.url_login import without_login


@pytest.mark.parametrize(
    ("url", "bare", "login"),
    [
        ("http://host:4200/api?x=1", "http://host:4200/api?x=1", None),
        ("https://user:pa%2Fss@host:4200/api", "https://host:4200/api", "user:pa/ss"),
        ("http://:pw@[::1]:80", "http://[::1]:80", ":pw"),
        ("http://user@host", "http://host", "user:"),
        ("http://u:p@ss@host", "http://host", "u:p@ss"),
    ],
)
def test_the_login_is_taken_out_and_decoded(url: str, bare: str, login: str | None) -> None:
    assert without_login(url) == (bare, login)


@pytest.mark.parametrize(
    "url", ["http://u:canary/x@host", "http://u:canary#x@host", "http://u:canary@[host", "http://u:canary@", "canary"]
)
def test_what_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="host and port cannot be read") as wrong:
        without_login(url)
    assert "canary" not in str(wrong.value)
