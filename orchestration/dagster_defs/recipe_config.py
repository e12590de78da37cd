"""The options of a recipe as typed fields of Dagster's launchpad: every field with its type, its documentation and its default.

The fields are those of the frozen records behind ``orchestration.recipes.options.Recipe``, read from them, so that an option is
stated once. A field that is left out is as the recipe that is named has it: one changed field is a run of its own.
"""

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from enum import Enum, StrEnum
from functools import cache
from types import GenericAlias, NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import dagster as dg
import pydantic
from pydantic import TypeAdapter, ValidationError

from orchestration.recipes.options import Recipe
from orchestration.recipes.registry import RECIPES, recipe

CLEARED = "cleared"
RECIPE = "recipe"
LEFT_OUT = ("name",)  # of the recipe: the folder of the run, asked for as ``run_name``


@cache
def config_of(record: type[Any], place: tuple[str, ...] = ()) -> type[dg.Config]:
    """A config class with the fields of a frozen record; each may be left out, and then is ``None``.

    Args:
        record: the frozen dataclass.
        place: names of the fields that lead to it from a ``Recipe``, whose values the documentation tells.
    """
    hints, documented = get_type_hints(record), documentation(record)
    made: dict[str, Any] = {}
    for each in fields(record):
        if record is Recipe and each.name in LEFT_OUT:
            continue
        annotation = _launchpad_type(hints[each.name], (*place, each.name))
        shown = documented.get(each.name, "")
        if not (isinstance(annotation, type) and issubclass(annotation, dg.Config)):
            shown = f"{shown} [{values_in_recipes((*place, each.name), each)}]".strip()
        made[each.name] = (annotation | None, pydantic.Field(None, description=shown or None))
    return cast(
        type[dg.Config],
        pydantic.create_model(
            f"{record.__name__}Fields", __base__=dg.Config, __doc__=inspect.getdoc(record), **made
        ),
    )


def documentation(record: type[Any]) -> dict[str, str]:
    """The text below each field of a class, as the source has it, in one line each."""
    [body] = ast.parse(textwrap.dedent(inspect.getsource(record))).body
    assert isinstance(body, ast.ClassDef)
    texts: dict[str, str] = {}
    for statement, after in zip(body.body, body.body[1:], strict=False):
        if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            texts[statement.target.id] = " ".join(str(after.value.value).split())
    return texts


def changed(base: Recipe, changes: Mapping[str, Any], cleared: tuple[str, ...] = ()) -> Recipe:
    """The recipe with what was changed of it, ``None`` meaning nothing, and the fields named in ``cleared`` set to nothing.

    Raises:
        ValueError: for a field that is not there or a value that cannot be, with its place.
    """
    values = _merged(asdict(base), changes)
    for path in cleared:
        *folders, last = path.split(".")
        place: Any = values
        for folder in folders:
            place = place.get(folder) if isinstance(place, dict) else None
        if not isinstance(place, dict) or last not in place:
            raise ValueError(f"{CLEARED}: a recipe has no field {path!r}")
        place[last] = None
    try:
        return TypeAdapter(Recipe).validate_python(values)
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ValueError(f"recipe {base.name!r} with these changes cannot be: {places}") from None


def _merged(values: Any, changes: Any) -> Any:
    """``values`` with what is not None of ``changes``; a record that was nothing begins with its own defaults."""
    if not isinstance(changes, Mapping):
        return changes
    merged = dict(values or {})
    for name, change in changes.items():
        if change is None or (isinstance(change, Mapping) and not _says_anything(change)):
            continue
        merged[name] = _merged(merged.get(name), change)
    return merged


def _says_anything(changes: Mapping[str, Any]) -> bool:
    return any(
        _says_anything(each) if isinstance(each, Mapping) else each is not None for each in changes.values()
    )


def values_in_recipes(place: tuple[str, ...], field: Field[Any]) -> str:
    """What the recipes have at a place, as people read it; the field's own default where none of them has its record."""
    having: dict[str, list[str]] = {}
    for name, known in _recipes().items():
        value: Any = known
        for step in place:
            value = getattr(value, step, MISSING)
        if value is not MISSING:
            having.setdefault(_shown(value), []).append(name)
    if not having:
        return f"by default {_shown(field.default)}" if field.default is not MISSING else "required"
    if len(having) == 1:
        return f"{next(iter(having))} in all recipes"
    return "; ".join(f"{value} in {', '.join(names)}" for value, names in having.items())


def _shown(value: Any) -> str:
    return str(value.value) if isinstance(value, Enum) else repr(value)


@cache
def _recipes() -> Mapping[str, Recipe]:
    return {name: recipe(name) for name in RECIPES}


def _launchpad_type(annotation: Any, place: tuple[str, ...] = ()) -> Any:
    """The type that Dagster's config system has for a field's: tuples are lists."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        [annotation] = [each for each in inner if each is not NoneType]
        return _launchpad_type(annotation, place)
    if origin is tuple:
        return GenericAlias(list, (_launchpad_type(inner[0]),))
    if origin in (dict, Mapping):
        return GenericAlias(dict, (str, _launchpad_type(inner[1])))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _said_by_value(annotation)
    if is_dataclass(annotation):
        return config_of(cast(type[Any], annotation), place)
    return annotation


@cache
def _said_by_value(kind: type[Enum]) -> type[Enum]:
    """Dagster knows the members of an enum by their names: here these are the values, as recipes and files write them."""
    return cast(type[Enum], StrEnum(kind.__name__, {each.value: each.value for each in kind}))


RecipeName: Any = StrEnum("RecipeName", {name: name for name in RECIPES})
RecipeFields: Any = config_of(Recipe)


def recipe_of(
    name: str, run_name: str | None, changes: Mapping[str, Any], cleared: tuple[str, ...]
) -> Recipe:
    """The recipe called ``name`` with its changes, as a run called ``run_name``, else as the recipe."""
    named = {"name": run_name} if run_name else {}
    base = recipe(name)
    return changed(base, {**changes, **named}, cleared)
