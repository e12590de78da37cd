"""The entry point ``vimrag``: Ctrl-C is one line and an exit code of its own, from here to the end of the process.

What the program does is ``program.py``, which is loaded under that rule, for its imports take their time.
"""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from app.errors import STOPPED


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; without ``argv`` this process's, whose Ctrl-C is taken care of."""
    # what a shell runs in the background ignores Ctrl-C, and goes on doing so
    if argv is not None or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        from app.program import main as run

        return run(argv)
    try:
        signal.signal(signal.SIGINT, _leave)  # as long as there is nothing to be tidied up
        from app.program import main as run

        signal.signal(signal.SIGINT, signal.default_int_handler)  # event loops put their own in its place
        return run()
    except KeyboardInterrupt:  # just before a command, or just after it
        return _stopped()
    finally:
        signal.signal(signal.SIGINT, _leave)  # while threads end


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(_stopped())


def _stopped() -> int:
    os.write(2, b"stopped\n")
    return STOPPED


if __name__ == "__main__":
    sys.exit(main())
