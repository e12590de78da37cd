"""Where a server may send a download: a rule on addresses, no requests.

A redirect may lead to another host, as hubs send to their stores. It may not leave HTTP, not fall from https to
http, and not cross the border between this machine or its network and the outside, in either direction. A name belongs to the
network of the addresses that it has; what a request was really connected to is looked at once more (``peer_is_near``), for
a name may change its address between two look-ups (DNS rebinding).
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence

import httpx

from infra.errors import DownloadError

MAX_REDIRECTS = 8
SCHEMES = ("http", "https")


def checked_address(address: str) -> httpx.URL:
    """The address, if it is a whole http or https one.

    Raises:
        ValueError: if it is not.
    """
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, TypeError) as error:
        raise ValueError(f"{address!r} is no address: {error}") from error
    if url.scheme not in SCHEMES or not url.host:
        raise ValueError(f"{address!r} is no http or https address")
    return url


def addresses_of(host: str) -> Sequence[str]:
    """The addresses that a name has now; none if it has none."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return ()


def next_address(
    current: httpx.URL, location: str, *, resolve: Callable[[str], Sequence[str]] = addresses_of
) -> httpx.URL:
    """Where ``location``, the header of a redirect from ``current``, leads to.

    Raises:
        DownloadError: ``refused``, if the rule of the module forbids it.
    """
    try:
        target = current.join(location)
        checked_address(str(target))
    except (httpx.InvalidURL, ValueError) as error:
        raise DownloadError(
            "refused", f"{plain(current)} redirects to {location[:200]!r}: not HTTP"
        ) from error
    if current.scheme == "https" and target.scheme == "http":
        raise DownloadError("refused", f"{plain(current)} redirects to {plain(target)}: unencrypted")
    if leads_near(current, resolve) != leads_near(target, resolve):
        raise DownloadError(
            "refused",
            f"{plain(current)} redirects to {plain(target)}, across the border of this network; "
            "if that is meant, name it as the mirror",
        )
    return target


def is_near(url: httpx.URL) -> bool:
    """Whether the address names this machine or a private network; names are not looked up."""
    host = url.host.rstrip(".").lower()
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def leads_near(url: httpx.URL, resolve: Callable[[str], Sequence[str]] = addresses_of) -> bool:
    """Whether the address, or any that its name has now, is of this machine or a private network."""
    return is_near(url) or any(_is_private(each) for each in resolve(url.host))


def peer_is_near(response: httpx.Response) -> bool | None:
    """Whether the answer comes from this machine or a private network; None where the connection does not tell."""
    stream = response.extensions.get("network_stream")
    address = stream.get_extra_info("server_addr") if stream is not None else None
    return _is_private(str(address[0])) if address else None


def _is_private(address: str) -> bool:
    try:
        return not ipaddress.ip_address(address.partition("%")[0]).is_global
    except ValueError:
        return False


def plain(url: httpx.URL) -> str:
    """The address without user, password and query, which may be secrets."""
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace').rpartition('@')[2]}{url.path}"
