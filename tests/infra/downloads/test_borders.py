"""A download cannot be led into this network: by a redirect, by a name that lies there, or by one that moves there."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from infra.downloads import http as downloads
from infra.downloads.redirects import leads_near, next_address, peer_is_near
from infra.downloads.retry import RetrySchedule
from infra.errors import DownloadError

NAMES = {
    "hub.example": ["1.1.1.1"],
    "store.example": ["1.0.0.1", "2606:4700:4700::1111"],
    "inside.example": ["10.1.2.3"],
    "both.example": ["1.1.1.1", "192.168.0.9"],
    "metadata.example": ["169.254.169.254"],
    "six.example": ["fd00::7"],
}


def resolve(host: str) -> list[str]:
    return NAMES.get(host, [])


@pytest.mark.parametrize(
    "location",
    [
        "https://inside.example/x",
        "https://both.example/x",  # one of its addresses is enough
        "https://metadata.example/latest",
        "https://six.example/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://localhost/",
        "https://printer.local/",
        "https://100.64.0.1/",
    ],
)
def test_a_redirect_from_outside_to_this_network_is_refused(location: str):
    with pytest.raises(DownloadError, match="across the border"):
        next_address(httpx.URL("https://hub.example/file"), location, resolve=resolve)


def test_a_hub_may_send_to_its_store_and_a_mirror_of_ours_to_another():
    assert (
        next_address(httpx.URL("https://hub.example/f"), "https://store.example/g", resolve=resolve).host
        == "store.example"
    )
    assert (
        next_address(httpx.URL("http://inside.example/f"), "http://10.0.0.1/g", resolve=resolve).host
        == "10.0.0.1"
    )


def test_a_name_that_nobody_knows_is_nowhere():
    assert not leads_near(httpx.URL("https://nowhere.example"), resolve)


class Stream:
    """What httpx tells of a connection."""

    def __init__(self, address: str) -> None:
        self.address = address

    def get_extra_info(self, name: str) -> Any:
        return (self.address, 443) if name == "server_addr" else None


class Connected(httpx.BaseTransport):
    """Answers of hosts at the addresses that they really were connected to; the network itself cannot be here."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self.addresses = addresses

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        stream = {"network_stream": Stream(self.addresses[request.url.host])}
        if request.url.host == "hub.example":
            return httpx.Response(302, headers={"Location": "https://store.example/f"}, extensions=stream)
        return httpx.Response(200, text="inner secret", extensions=stream)


def test_a_name_that_moved_into_this_network_between_two_look_ups_is_refused(monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    schedule = RetrySchedule()
    outside = httpx.Client(transport=Connected({"hub.example": "1.1.1.1", "store.example": "1.0.0.1"}))
    assert downloads.read_text(outside, "https://hub.example/f", schedule) == "inner secret"
    rebound = httpx.Client(transport=Connected({"hub.example": "1.1.1.1", "store.example": "10.0.0.8"}))
    with pytest.raises(DownloadError, match="answered from across the border"):
        downloads.read_text(rebound, "https://hub.example/f", schedule)


def test_a_connection_that_does_not_tell_is_no_verdict():
    assert peer_is_near(httpx.Response(200)) is None
    assert peer_is_near(httpx.Response(200, extensions={"network_stream": Stream("127.0.0.1")})) is True
    assert peer_is_near(httpx.Response(200, extensions={"network_stream": Stream("1.1.1.1")})) is False
