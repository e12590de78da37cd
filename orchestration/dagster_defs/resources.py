"""Where things lie and which run it is: Dagster resources that give assets plain objects.

Each value comes from the run's configuration, else from the environment *when a run asks for it*, else from a default. Holds
no credentials: S3 keys are read by ``infra.storage.root`` from the usual AWS variables.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from pydantic import Field

from infra.storage.root import Storage
from orchestration.dagster_defs.recipe_config import RecipeFields, RecipeName, recipe_of
from orchestration.recipes.options import Recipe

ROOT_VARIABLE = "VIMRAG_ROOT"
RAW_VARIABLE = "VIMRAG_RAW"
RECIPE_VARIABLE = "VIMRAG_RECIPE"
DEFAULT_ROOT = "runs/default"
MINIATURE = "miniature"  # what the miniature leaves in its raw folder, beside the nine


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
        """The folder the miniature is written to: below the root and nowhere else; with a remote root, the one that is named.

        Raises:
            ValueError: if ``path`` is another folder or holds files of others, or if the root already holds a corpus that is
                not the miniature's.
        """
        if storage.local_path("raw") is None:
            return self._beside(storage)
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

    def _beside(self, storage: Storage) -> Path:
        """The folder of this machine for the invented raw files of a remote root; never one with files of others."""
        folder = self.resolve(storage)
        is_ours = folder.joinpath(MINIATURE).is_dir()
        if not is_ours and (storage.list("corpus") or (folder.is_dir() and any(folder.iterdir()))):
            raise ValueError(
                f"{folder} or {storage.root} holds other data: give the miniature a folder and a root of its own"
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
    """Gives assets the ``Recipe`` of the run: one of those that are there, with what is changed of it."""

    name: RecipeName | None = Field(
        None, description="The recipe that is run; else $VIMRAG_RECIPE, else `quickstart`."
    )
    run_name: str | None = Field(
        None,
        description="Folder of the run's checkpoints, metrics and report below the root; by default as the recipe is called.",
    )
    fields: RecipeFields = Field(
        default_factory=RecipeFields,
        description="What is changed of the recipe; every field that is left out is as the recipe has it.",
    )
    cleared: list[str] = Field(
        [], description="Fields to be set to nothing, by their dotted names, e.g. `cold_start.shipped`."
    )

    def create_resource(self, context: dg.InitResourceContext) -> Recipe:
        """The recipe of the run; ``ValueError`` if there is none of that name, or a value cannot be."""
        name = self.name or os.environ.get(RECIPE_VARIABLE) or "quickstart"
        return recipe_of(name, self.run_name, self.fields.model_dump(), tuple(self.cleared))
