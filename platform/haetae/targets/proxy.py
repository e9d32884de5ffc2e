"""The proxy of an endpoint, by the environment: HTTPS_PROXY, HTTP_PROXY, NO_PROXY, read once.

The client would read them anew for each call, and a ~/.netrc with them, in two threads: more than the call itself
costs. Of a netrc nothing is taken: a login in it for the endpoint's host would go beside the key.
"""

from __future__ import annotations

import os
from base64 import b64encode
from urllib.parse import unquote, urlsplit

from haetae.core.addresses import url_fault
from haetae.errors import ConfigError

_EXPECTED = "expected http://host:port, before the host a login and @ where it wants one (its / and @ as %2F and %40)"


def proxy_of(url: str) -> str | None:
    """The proxy through which a URL is asked, with its login where the variable holds one; None for none.

    Raises ConfigError, without what the variable holds, where it is no proxy.
    """
    place = urlsplit(url)
    named = f"{place.scheme}_proxy"
    variable = next((name for name in os.environ if name.lower() == named), None)
    if variable is None:
        return None
    from urllib.request import getproxies, proxy_bypass  # with an HTTP client, for those who have a proxy

    names = (place.hostname or "", place.netloc.rpartition("@")[2])  # NO_PROXY may name a port as well
    proxy = None if any(map(proxy_bypass, names)) else getproxies().get(place.scheme)
    if proxy is not None and (fault := _fault(proxy)):
        raise ConfigError(f"the environment variable {variable} holds no proxy: {fault}; {_EXPECTED}")
    return proxy


def secrets_of(proxy: str) -> tuple[str, ...]:
    """What may be shown nowhere of a proxy: its password, and its login as it is sent."""
    place = urlsplit(proxy)
    if not place.password:
        return ()
    password = unquote(place.password)
    login = f"{unquote(place.username or '')}:{password}"
    return place.password, password, b64encode(login.encode()).decode()


def _fault(proxy: str) -> str | None:
    """Why a text is no proxy, without repeating it."""
    scheme, marked, rest = proxy.partition("://")
    if not marked:
        return "it does not begin with http:// or https://"
    login, _, host = rest.rstrip("/").rpartition("@")
    if any(sign in login for sign in "/?#@") or any(sign in host for sign in "/?#"):
        return "a login or a host holds none of / ? # @"
    return url_fault(f"{scheme}://{host}")
