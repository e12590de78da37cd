"""Who is let in: tokens, names, origins; and what every response says to a browser."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path

import httpx
import pytest

from app.server.protection.security import COOKIE, HEADERS, is_loopback, session_of
from app.server.settings import ServerSettings
from tests.app.server.serving import Served, serving

TOKEN = "a-Long.Secret~42"
CLOSED = ServerSettings(token=TOKEN)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1/status"),
        ("GET", "/nothing"),
        ("PUT", "/v1/status"),
        ("POST", "/v1/ask"),
        ("GET", "/docs"),
    ],
)
def test_every_response_carries_the_headers_of_the_contract(served: Served, method: str, path: str):
    response = served.http.request(method, path)
    assert {name: response.headers.get(name) for name in HEADERS} == dict(HEADERS)
    assert "server" not in response.headers


def test_the_policy_allows_nothing_from_elsewhere_and_nothing_inline():
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'; ") and "unsafe" not in policy and "http" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:8000", 200),
        ("[::1]:8000", 200),
        ("192.0.2.7", 200),  # no other site can be called by an address
        ("rebound.example", 403),
        ("localhost.example", 403),
        ("127.0.0.1.example:80", 403),
        ("", 400),
        ("a b", 400),
        ("localhost:1:2", 400),
    ],
)
def test_only_known_names_of_the_server_are_answered(served: Served, host: str, status: int):
    assert served.http.get("/v1/status", headers={"host": host}).status_code == status


def test_two_hosts_or_none_are_refused(served: Served):
    for hosts in ((), ("localhost", "localhost")):
        connection = http.client.HTTPConnection(served.url.removeprefix("http://"), timeout=30)
        connection.putrequest("GET", "/v1/status", skip_host=True)
        for host in hosts:
            connection.putheader("Host", host)
        connection.endheaders()
        assert connection.getresponse().status == 400
        connection.close()


def test_a_name_that_was_allowed_is_answered(root: Path):
    with serving(root, settings=ServerSettings(allowed_hosts=frozenset({"corpus.example"}))) as served:
        assert served.http.get("/v1/status", headers={"host": "Corpus.Example:8000"}).status_code == 200
        assert served.http.get("/v1/status", headers={"host": "other.example"}).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:8000", "host": "127.0.0.1:8000"}, 200),
        ({"origin": "http://127.0.0.1:8001", "host": "127.0.0.1:8000"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://[::1", "host": "127.0.0.1"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_other_sites_cannot_make_a_browser_search_or_send(
    served: Served, headers: dict[str, str], status: int
):
    assert served.http.post("/v1/search", json={"query": "crane"}, headers=headers).status_code == status
    if status == 403:
        put = served.http.put("/v1/files/a.txt", content=b"text", headers=headers)
        assert (put.status_code, put.json()["error"]["code"]) == (403, "origin")


def test_a_refused_request_is_answered_though_its_body_comes_later(served: Served):
    host = served.http.base_url.host
    connection = http.client.HTTPConnection(host, served.http.base_url.port, timeout=20)
    for _ in range(2):  # the connection outlives the refusal
        connection.putrequest("PUT", "/v1/files/a.txt")
        for name, value in {"Origin": "null", "Content-Length": "4"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        time.sleep(0.02)
        connection.send(b"text")
        response = connection.getresponse()
        assert (response.status, json.loads(response.read())["error"]["code"]) == (403, "origin")
    connection.close()


def test_without_the_token_only_the_page_is_given(root: Path):
    with serving(root, settings=CLOSED) as served:
        assert served.http.get("/").status_code == 200
        assert served.http.get("/static/index.html").status_code == 200
        for path in ("/v1/status", "/v1/runs", "/v1/media?item=a", "/openapi.json", "/docs", "/v1/nothing"):
            refused = served.http.get(path)
            assert (refused.status_code, refused.json()["error"]["code"]) == (401, "token"), path
            assert refused.headers["www-authenticate"].startswith("Bearer")
        for wrong in (
            "",
            "Bearer",
            f"Bearer {TOKEN}x",
            f"Bearer {TOKEN[:-1]}",
            f"Basic {TOKEN}",
            "Bearer \xff",
        ):
            headers = {"authorization": wrong.encode("latin-1")}
            assert served.http.get("/v1/status", headers=headers).status_code == 401
        status = served.http.get("/v1/status", headers={"authorization": f"bearer {TOKEN}"}).json()
        assert status["token_required"] is True and TOKEN not in str(status)


def test_the_token_in_an_address_becomes_a_cookie_and_leaves_the_address(root: Path):
    with serving(root, settings=CLOSED) as served, httpx.Client(base_url=served.url) as browser:
        assert browser.get("/?token=wrong").status_code == 401
        welcome = browser.get("/viewer", params={"token": TOKEN})
        assert (welcome.status_code, welcome.headers["location"]) == (303, "/viewer")
        cookie = welcome.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie and TOKEN not in cookie
        assert browser.get("/v1/status").status_code == 200  # the browser sends the cookie
        for wrong in ("", TOKEN, session_of(TOKEN)[:-1], "a\x01"):
            headers = {"cookie": f"{COOKIE}={wrong}"}
            assert served.http.get("/v1/status", headers=headers).status_code == 401


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1", "[::1]"])
def test_this_machine_is_loopback(host: str):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.2", "example.org", "", "127.0.0.1.example"])
def test_anything_else_is_not(host: str):
    assert not is_loopback(host)


@pytest.mark.parametrize("token", ["", "two words", "schlüssel", "line\n"])
def test_a_token_that_no_header_can_carry_is_refused_without_being_repeated(token: str):
    with pytest.raises(ValueError, match="token") as refused:
        ServerSettings(token=token)
    assert not token or token not in str(refused.value)


def test_the_page_and_its_list_of_the_interface_ask_nothing_of_other_machines(served: Served):
    for path in ("/", "/docs"):
        text = served.http.get(path).text
        assert "http://" not in text.replace("http://www.w3.org/", "") and "https://" not in text
        assert "//" not in [part.split('"')[0] for part in text.split('src="')[1:]]


def test_pages_are_sent_once_and_then_only_when_they_changed(served: Served):
    first = served.http.get("/viewer")
    assert first.headers["content-type"] == "text/html; charset=utf-8"
    again = served.http.get("/viewer", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert served.http.get("/static/server.js").headers["content-type"] == "text/javascript; charset=utf-8"
    for name in ("..%2f__init__.py", "__init__.py", ".hidden.js", "server.js%00", "none.js", "a/b.js"):
        assert served.http.get(f"/static/{name}").status_code == 404


def test_the_schema_names_every_path_of_the_contract_and_refuses_what_it_does_not_name(served: Served):
    schema = served.http.get("/openapi.json").json()
    assert set(schema["paths"]) == {
        *("/v1/status", "/v1/ask", "/v1/search", "/search", "/v1/media", "/v1/items/{item_id}"),
        *("/v1/files/{name}", "/v1/runs", "/v1/trajectories", "/v1/trajectory"),
        *("/v1/search/image", "/v1/ask/{ask_id}", "/v1/ask/{ask_id}/answer"),
        *("/v1/chat/completions", "/v1/models", "/v1/models/{name}"),
        *("/v1/conversations", "/v1/conversations/{conversation_id}", "/v1/turns/{turn_id}/events"),
        "/v1/conversations/{conversation_id}/export",
        *("/v1/sources", "/v1/sources/{key}", "/v1/sources/{key}/picture"),
        *("/v1/sources/remove", "/v1/sources/reread", "/v1/reading"),
        *("/v1/places", "/v1/sources/{key}/film", "/v1/sources/{key}/film/content"),
        "/v1/sources/{key}/subtitles/{number}",
    }
    for name in ("AskBody", "SearchBody", "UpstreamBody"):
        assert schema["components"]["schemas"][name]["additionalProperties"] is False
    assert "422" not in str(schema["paths"])
    assert "POST /v1/ask" in served.http.get("/docs").text
