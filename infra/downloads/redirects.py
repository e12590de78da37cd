"""Where a server may send a download: a rule on addresses, no requests.

A redirect may lead to another host, as hubs send to their stores. It may not leave HTTP, not fall from https to
http, and not cross the border between this machine or its network and the outside, in either direction.
"""

import ipaddress

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


def next_address(current: httpx.URL, location: str) -> httpx.URL:
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
    if is_near(current) != is_near(target):
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


def plain(url: httpx.URL) -> str:
    """The address without user, password and query, which may be secrets."""
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace').rpartition('@')[2]}{url.path}"
