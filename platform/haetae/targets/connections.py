"""The connections to one endpoint, over aiohttp: loaded by the first call, so that a run that asks nothing has none."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from haetae.core import reasons
from haetae.core.addresses import forbidden
from haetae.core.generation import Failure
from haetae.core.secrets import redact

MAX_BODY = 32 * 2**20
"""Largest reply that is read, in bytes."""

Reply = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body."""


class Connections:
    """At most `limit` connections to an endpoint, by way of a `proxy` where there is one.

    `place` names it in messages, from which `secrets` are kept out.
    """

    def __init__(
        self, proxy: str | None, *, limit: int, timeout_s: float, place: str, secrets: tuple[str, ...]
    ) -> None:
        self._timeout_s = timeout_s
        self._place = place
        self._secrets = secrets
        self._proxy = proxy
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, ttl_dns_cache=300, resolver=_Resolver()),
            timeout=aiohttp.ClientTimeout(total=timeout_s),
        )

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], query: Mapping[str, str]
    ) -> Reply | Failure:
        """One request and its whole reply; a Failure where there is none."""
        try:
            async with self._session.post(
                url, data=body, headers=headers, params=query, proxy=self._proxy, allow_redirects=False
            ) as response:
                chunks, size = [], 0
                async for chunk in response.content.iter_any():
                    size += len(chunk)
                    if size > MAX_BODY:
                        return Failure(reasons.MALFORMED, f"the reply is over {MAX_BODY // 2**20} MiB")
                    chunks.append(chunk)
                return response.status, response.headers, b"".join(chunks)
        except TimeoutError:
            return Failure(reasons.TIMEOUT, f"no complete answer from {self._place} in {self._timeout_s:g} s")
        except aiohttp.ClientSSLError as exc:
            why = redact(f"TLS with {self._place} failed: {exc}", self._secrets)
            return Failure(reasons.CONNECTION, why, fatal=True)
        except (aiohttp.InvalidURL, UnicodeError):  # whose words repeat the URL, which may hold a secret
            return Failure(reasons.CONNECTION, f"{self._place}: no connection can be made to such a host", fatal=True)
        except aiohttp.ClientResponseError as exc:  # which says the URL beside its own message
            why = redact(f"{self._place}: {exc.message}", self._secrets)
            return Failure(reasons.MALFORMED if _speaks_http(exc) else reasons.CONNECTION, why)
        except (aiohttp.ClientError, OSError) as exc:
            return Failure(reasons.CONNECTION, redact(f"{self._place}: {type(exc).__name__}: {exc}", self._secrets))

    async def aclose(self) -> None:
        """Close them."""
        await self._session.close()


def _speaks_http(error: aiohttp.ClientResponseError) -> bool:
    """Whether it was the endpoint that answered, in HTTP, although with a head that cannot be read."""
    return not isinstance(error, aiohttp.ClientHttpProxyError) and not error.message.startswith("Bad status line")


class _Resolver(AbstractResolver):
    """Names are resolved as ever, and every address is judged as if it had been written in the URL."""

    def __init__(self) -> None:
        self._inner = aiohttp.DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for address in found:
            if fault := forbidden(address["host"]):
                raise OSError(errno.EACCES, f"{host} resolves to what no request may go to: {fault}")
        return found

    async def close(self) -> None:
        await self._inner.close()
