"""Where things lie and which run it is: Dagster resources that give assets plain objects.

Each value comes from the run's configuration, else from the environment *when a run asks for it*, else from a default. Holds
no credentials: S3 keys are read by ``infra.storage.root`` from the usual AWS variables.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from infra.storage.root import Storage
from orchestration.recipes.options import Recipe
from orchestration.recipes.registry import recipe

ROOT_VARIABLE = "VIMRAG_ROOT"
RAW_VARIABLE = "VIMRAG_RAW"
RECIPE_VARIABLE = "VIMRAG_RECIPE"
DEFAULT_ROOT = "runs/default"


class StorageResource(dg.ConfigurableResource[Storage]):
    """Gives assets the ``Storage`` of the root."""

    root: str | None = None
    """Path, ``file://`` or ``s3://bucket/prefix``; else $VIMRAG_ROOT, else ``runs/default`` below the working directory."""

    def create_resource(self, context: dg.InitResourceContext) -> Storage:
        """The storage of the root, not yet connected."""
        return Storage(self.root or os.environ.get(ROOT_VARIABLE) or DEFAULT_ROOT)


@dataclass(frozen=True, slots=True)
class RawLocation:
    """Where the raw datasets lie: ``path``, or None for the folder that the miniature writes below the root."""

    path: Path | None

    def resolve(self, storage: Storage) -> Path:
        """The folder to read.

        Raises:
            ValueError: if it lies below the root and the root is remote.
        """
        folder = self.path or storage.local_path("raw")
        if folder is None:
            raise ValueError(
                f"raw data must lie on this machine: set {RAW_VARIABLE} to a folder with one folder a dataset"
            )
        return folder

    def for_miniature(self, storage: Storage) -> Path:
        """The folder the miniature is written to, below the root and nowhere else.

        Raises:
            ValueError: if ``path`` is another folder, or the root already holds a corpus that is not the miniature's.
        """
        folder = RawLocation(None).resolve(storage)
        if self.path is not None and self.path.resolve() != folder.resolve():
            raise ValueError(
                f"the miniature writes and reads {folder}, but {RAW_VARIABLE} names {self.path}: unset it"
            )
        if storage.list("corpus") and not storage.exists("raw/miniature"):
            raise ValueError(
                f"{storage.root} holds a corpus of other data: set {ROOT_VARIABLE} to a folder of its own"
            )
        return folder


class RawLocationResource(dg.ConfigurableResource[RawLocation]):
    """Gives assets the ``RawLocation``."""

    path: str | None = None
    """Folder with one folder a dataset; else $VIMRAG_RAW, else ``raw`` below the root."""

    def create_resource(self, context: dg.InitResourceContext) -> RawLocation:
        """The folder that was named, if any."""
        path = self.path or os.environ.get(RAW_VARIABLE)
        return RawLocation(Path(path).expanduser() if path else None)


class RecipeResource(dg.ConfigurableResource[Recipe]):
    """Gives assets the ``Recipe`` of the run."""

    name: str | None = None
    """Name in ``orchestration.recipes.registry``; else $VIMRAG_RECIPE, else ``quickstart``."""

    def create_resource(self, context: dg.InitResourceContext) -> Recipe:
        """The recipe of that name; ``ValueError`` if there is none."""
        return recipe(self.name or os.environ.get(RECIPE_VARIABLE) or "quickstart")
