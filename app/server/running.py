"""Running the application on a socket until a signal comes, and stopping it in order.

Questions under way are told that the server stops; other requests get ``GRACE_S`` to end.
"""

import asyncio
import signal
import socket
from types import FrameType

import uvicorn

from app.server.application import create_app
from app.server.state import ServerState

GRACE_S = 5
IDLE_S = 30  # of a connection that is kept open between two requests


def server_for(state: ServerState) -> uvicorn.Server:
    """A server that has not started yet; it logs nothing by itself but its own troubles."""
    config = uvicorn.Config(
        create_app(state),
        http="h11",  # it limits the size of headers
        h11_max_incomplete_event_size=64 * 1024,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=IDLE_S,
    )
    return uvicorn.Server(config)


async def run_until_signalled(state: ServerState, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT. Call it in the main thread."""
    server, loop = server_for(state), asyncio.get_running_loop()

    def stop(sig: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(state.closing.set)
        uvicorn.Server.handle_exit(server, sig, frame)

    server.handle_exit = stop
    # when it is done the server raises the signal again for the handlers that were there before it
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        await server.serve(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
