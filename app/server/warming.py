"""Index, embedder and their libraries loaded when a server starts, so that its first question need not wait for them."""

import logging
import time

from anyio import to_thread

from app.answers.corpus_handle import NoIndexError
from app.server.state import ServerState

LOG = logging.getLogger("vimrag.serve")


async def warm(state: ServerState) -> None:
    """Search once, in a thread. What goes wrong here is told to whoever asks first."""
    began_s = time.monotonic()
    try:
        await to_thread.run_sync(_search, state, limiter=state.searchers)
    except NoIndexError:
        return
    except Exception as error:
        LOG.warning("the index could not be opened yet: %s", " ".join(str(error).split())[:300])
        return
    LOG.info("index and embedder are loaded (%.1f s)", time.monotonic() - began_s)


def _search(state: ServerState) -> None:
    state.corpus.snapshot().index.search("what is here", 1)
