"""Where things lie is read when a run asks, from configuration, then environment, then a default."""

from pathlib import Path

import dagster as dg
import pytest

from infra.storage.root import Storage
from orchestration.dagster_defs.resources import (
    RawLocation,
    RawLocationResource,
    RecipeResource,
    StorageResource,
)


@pytest.fixture
def context() -> dg.InitResourceContext:
    return dg.build_init_resource_context()


def test_configuration_comes_before_the_environment(context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    unset = StorageResource()
    monkeypatch.setenv("VIMRAG_ROOT", str(tmp_path / "environment"))
    assert unset.create_resource(context).root == str(tmp_path / "environment")
    configured = StorageResource(root=str(tmp_path / "configured"))
    assert configured.create_resource(context).root == str(tmp_path / "configured")


def test_raw_data_lies_below_the_root_unless_somebody_says_otherwise(context, tmp_path: Path, monkeypatch):
    storage = Storage(tmp_path)
    monkeypatch.delenv("VIMRAG_RAW", raising=False)
    assert RawLocationResource().create_resource(context).resolve(storage) == tmp_path / "raw"
    monkeypatch.setenv("VIMRAG_RAW", "/somewhere/raw")
    assert RawLocationResource().create_resource(context).resolve(storage) == Path("/somewhere/raw")


def test_a_remote_root_needs_a_raw_folder_of_this_machine():
    with pytest.raises(ValueError, match="VIMRAG_RAW"):
        RawLocation(None).resolve(Storage("s3://bucket/root"))


def test_the_miniature_never_touches_somebodys_raw_data(tmp_path: Path):
    with pytest.raises(ValueError, match="unset it"):
        RawLocation(tmp_path / "mine").for_miniature(Storage(tmp_path / "root"))


def test_the_miniature_never_replaces_a_corpus_of_other_data(tmp_path: Path):
    storage = Storage(tmp_path)
    storage.write_bytes("corpus/hotpotqa/manifest.json", b"{}")
    with pytest.raises(ValueError, match="corpus of other data"):
        RawLocation(None).for_miniature(storage)
    storage.write_bytes("raw/miniature/plans.jsonl", b"")
    assert RawLocation(None).for_miniature(storage) == tmp_path / "raw"


def test_a_recipe_is_chosen_by_name(context, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VIMRAG_RECIPE", "miniature")
    assert RecipeResource().create_resource(context).name == "miniature"
    assert RecipeResource(name="quickstart").create_resource(context).name == "quickstart"
    monkeypatch.delenv("VIMRAG_RECIPE")
    assert RecipeResource().create_resource(context).name == "quickstart"
