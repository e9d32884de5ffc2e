"""The proxy of an endpoint, by the environment: HTTPS_PROXY, HTTP_PROXY, NO_PROXY, read once.

The client would read them anew for each call, and a ~/.netrc with them, in two threads: more than the call itself
costs. Of a netrc nothing is taken: a login in it for the endpoint's host would go beside the key.
"""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_of(url: str) -> str | None:
    """The proxy through which a URL is asked, with its login where the variable holds one; None for none."""
    place = urlsplit(url)
    names = (place.hostname or "", place.netloc.rpartition("@")[2])  # NO_PROXY may name a port as well
    return None if any(map(proxy_bypass, names)) else getproxies().get(place.scheme)
