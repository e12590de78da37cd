"""The small root of the server's tests."""

from tests.app.server.conftest import root

__all__ = ["root"]
