"""One client cannot take all there is, guesses of the token are slow, and no secret reaches the log."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.types import Receive, Scope, Send

from app.server.protection.client_limits import ClientLimits, client_of
from app.server.settings import ServerSettings
from tests.app.server.serving import serving

TOKEN = "a-Long.Secret~42"
TEN = ServerSettings(token=TOKEN, client_requests_per_minute=10)


def test_a_client_that_asks_too_much_is_told_when_to_come_back_and_pages_count_less(root: Path):
    with serving(root, settings=TEN) as served:
        known = {"Authorization": f"Bearer {TOKEN}"}
        assert [served.http.get("/v1/status", headers=known).status_code for _ in range(2)] == [200, 200]
        found = [
            served.http.post("/search", json={"queries": ["x"]}, headers=known).status_code for _ in range(3)
        ]
        assert found[:2] == [found[0]] * 2 and found[0] != 429 and found[2] == 429  # 2 + 4 + 4 of 10
        refused = served.http.post("/search", json={"queries": ["x"]}, headers=known)
        assert refused.json()["error"]["code"] == "busy"
        assert 1 <= int(refused.headers["Retry-After"]) <= 60


def test_guesses_of_the_token_end_after_a_minutes_budget(root: Path):
    with serving(root, settings=TEN) as served:
        codes = [
            served.http.get("/v1/status", headers={"Authorization": f"Bearer guess-{number}"}).status_code
            for number in range(14)
        ]
    assert codes == [401] * 10 + [429] * 4


async def nothing() -> dict[str, Any]:
    return {"type": "http.request"}


async def asked(limits: ClientLimits, client: str, path: str = "/v1/ask", **headers: str) -> int:
    status: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": path, "client": (client, 1), "headers": pairs}
    await limits(scope, nothing, send)
    return status[0]


def test_one_clients_questions_leave_room_for_another_and_end_with_their_request():
    async def check() -> None:
        go_on = anyio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await go_on.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        limits = ClientLimits(app, ServerSettings(client_requests_per_minute=1000, client_questions=2))
        codes: list[int] = []

        async def ask(client: str) -> None:
            codes.append(await asked(limits, client))

        async with anyio.create_task_group() as group:
            for client in ("1.1.1.1", "1.1.1.1", "1.1.1.1", "2.2.2.2"):
                group.start_soon(ask, client)
            await anyio.sleep(0.05)
            assert codes == [429], "the third of one client; the other's goes on"
            go_on.set()
        assert sorted(codes) == [200, 200, 200, 429]
        assert await asked(limits, "1.1.1.1") == 200

    anyio.run(check)


def test_a_budget_grows_back_with_time():
    now = [0.0]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    limits = ClientLimits(app, TEN, clock=lambda: now[0])

    async def check() -> None:
        assert [await asked(limits, "c", "/search") for _ in range(3)] == [200, 200, 429]
        now[0] += 60 * 4 / 10
        assert await asked(limits, "c", "/search") == 200

    anyio.run(check)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("9.9.9.9", "1.2.3.4", "9.9.9.9"),  # anybody can write a header
        ("10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),  # what the proxy itself saw comes last
        ("10.0.0.1", "", "10.0.0.1"),
    ],
)
def test_a_header_names_the_client_only_behind_a_proxy_that_is_trusted(
    peer: str, forwarded: str, client: str
):
    settings = ServerSettings(client_requests_per_minute=1, trusted_proxies=frozenset({"10.0.0.1"}))
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    assert client_of({"type": "http", "client": (peer, 1), "headers": headers}, settings) == client


def test_neither_token_nor_question_nor_name_of_a_file_reaches_the_log(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    own = shutil.copytree(root, tmp_path / "root")  # a file is added
    with serving(own, settings=ServerSettings(token=TOKEN)) as served:
        known = {"Authorization": f"Bearer {TOKEN}"}
        served.http.get("/", params={"token": TOKEN})
        served.http.get("/v1/media", params={"item": "documents/page:my-diary"}, headers=known)
        served.http.post("/search", json={"queries": ["a very private question"]}, headers=known)
        served.http.put("/v1/files/my-diary.txt", content=b"dear diary", headers=known)
        served.http.get("/v1/status", headers={"Authorization": "Bearer wrong-guess"})
    said = "\n".join(
        record.getMessage()
        for record in caplog.records
        if not record.name.startswith(("httpx", "httpcore", "asyncio"))
    )
    assert "/search 4" in said or "/search 2" in said or "/search 5" in said, said
    for word in (TOKEN, "private question", "my-diary", "wrong-guess"):
        assert word not in said
