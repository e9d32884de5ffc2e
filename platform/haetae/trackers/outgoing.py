"""What a process may reach that sends alerts, and no other: public addresses, and those that are allowed by name.

Every connection is judged by the address that the operating system is given, so it does not matter who resolved a
name, how often, or where an answer redirects to. The process can start no program, and its guard cannot be taken off.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from haetae.core.addresses import forbidden, not_public

_CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_STARTS = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "pty.spawn"}
    | {"syslog.openlog", "syslog.syslog"}
)


class Guard:
    """Judges what a process does. `allowed` are networks, addresses and host names that are not public.

    `refused` says what it refused last; `connecting` is called before the first connection.
    """

    def __init__(self, allowed: tuple[str, ...], connecting: Callable[[], None]) -> None:
        networks = {text: _network(text) for text in allowed}
        self._networks = [network for network in networks.values() if network is not None]
        self._names = {text.lower().rstrip(".") for text, network in networks.items() if network is None}
        self._resolved: set[str] = set()
        self._connecting: Callable[[], None] | None = connecting
        self.refused: str | None = None

    def install(self) -> None:
        """From now on, for as long as this process lives."""
        socket.getaddrinfo = partial(self._resolve, socket.getaddrinfo)
        sys.addaudithook(self.judge)

    def judge(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Called by Python before it does what is named. Raises PermissionError for what may not be."""
        if event in _CONNECTS:
            self._judge_address(arguments[1])
        elif event in _STARTS:
            self._refuse(f"alerts start no program and write to no log of this machine ({event})")

    def _judge_address(self, address: Any) -> None:
        if address is None:  # over a connection that was judged
            return
        host = address[0] if isinstance(address, tuple) and address else None
        if not isinstance(host, str):
            self._refuse("it is a socket of this machine, no address of a network")
            return
        why = not_public(host)
        if why is not None and not self._is_allowed(host):
            self._refuse(f"{why}; HAETAE_ALERTS_ALLOW names what may be reached all the same")
        if self._connecting is not None:
            self._connecting()
            self._connecting = None

    def _is_allowed(self, host: str) -> bool:
        """Whether somebody allowed it; what hands out a cloud's credentials nobody can."""
        network = _network(host.partition("%")[0])
        if network is None or forbidden(host):
            return False
        return host in self._resolved or any(
            form.version == allowed.version and form.subnet_of(allowed)  # type: ignore[arg-type]  # same version
            for form in _forms(network)
            for allowed in self._networks
        )

    def _refuse(self, why: str) -> None:
        self.refused = why
        raise PermissionError(why)

    def _resolve(self, resolve: Callable[..., Any], host: Any, *rest: Any, **more: Any) -> Any:
        """Look a name up, and remember where the names are that are allowed."""
        found = resolve(host, *rest, **more)
        if isinstance(host, str) and host.lower().rstrip(".") in self._names:
            self._resolved.update(str(entry[4][0]) for entry in found)
        return found


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _forms(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """An address as it is, and as that of IPv4 which it writes (`::ffff:10.1.2.3`): it leads to the same place."""
    yield network
    if isinstance(network, ipaddress.IPv6Network) and (mapped := network.network_address.ipv4_mapped) is not None:
        yield ipaddress.IPv4Network(mapped)
