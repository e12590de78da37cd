"""TensorBoard: event files in ``tensorboard`` below the run's metrics, written anew by every process from the records."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter


class TensorBoard:
    """Files only; each update is on disk when ``log`` returns."""

    def __init__(self, folder: Path) -> None:
        # past records are told again, so that nothing of a killed process is shown twice
        shutil.rmtree(folder, ignore_errors=True)
        self._writer = SummaryWriter(str(folder))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One scalar for each value."""
        for name, value in values.items():
            self._writer.add_scalar(f"ggpo/{name}", value, step)
        self._writer.flush()

    def close(self) -> None:
        """End the file."""
        self._writer.close()


def open_tracker(folder: Path, run: str) -> TensorBoard:
    """Below ``folder``; the run's name is that of the folder."""
    return TensorBoard(folder / "tensorboard")
