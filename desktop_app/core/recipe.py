"""Recipe: a named way of working, with a checkpoint and good defaults. Read from a TOML file."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from desktop_app.core.errors import RequestError
from desktop_app.core.params import PARAM_SPECS, Params, clean_text, params_from_json, validate

MAX_BYTES = 256 * 1024

_KEYS = ("label", "checkpoint", "defaults", "suggestions")
_NOT_DEFAULTS = ("prompt", "negative_prompt", "seed", "count", "checkpoint", "recipe")
"""What a recipe leaves as the user has it, or says elsewhere."""


@dataclass(frozen=True)
class Recipe:
    """``name`` is the file's, ``label`` what the user reads, ``defaults`` some fields of `Params` and their values,
    ``suggestions`` prompts that suit the checkpoint.
    """

    name: str
    label: str
    checkpoint: str
    defaults: dict[str, Any] = field(default_factory=dict)
    suggestions: tuple[str, ...] = ()

    def apply(self, params: Params) -> Params:
        """``params`` with the recipe's checkpoint and defaults; prompts and seed stay."""
        return dataclasses.replace(params, checkpoint=self.checkpoint, recipe=self.name, **self.defaults)


def read_recipe(path: Path) -> Recipe:
    """The recipe in the TOML file ``path``. Raises `RequestError`, also for a key it does not know."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES // 1024} KiB")
        return _recipe(path.stem, tomllib.loads(content.decode()))
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as e:
        reason = f"{e} is missing" if isinstance(e, KeyError) else str(e)
        raise RequestError("The recipe cannot be read", f"{path.name}: {reason}", "Correct the file.", "recipe") from e


def read_recipes(folder: Path) -> list[Recipe]:
    """All recipes in ``folder``, by label. Raises `RequestError` at the first that cannot be read."""
    return sorted((read_recipe(path) for path in folder.glob("*.toml")), key=lambda recipe: recipe.label)


def _recipe(name: str, data: dict[str, Any]) -> Recipe:
    _refuse_unknown(data, _KEYS)
    return Recipe(
        name=name,
        label=_line(data["label"], "label"),
        checkpoint=_line(data["checkpoint"], "checkpoint"),
        defaults=_defaults(data.get("defaults", {})),
        suggestions=_suggestions(data.get("suggestions", [])),
    )


def _defaults(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise TypeError("defaults is not a table")
    _refuse_unknown(data, tuple(name for name in PARAM_SPECS if name not in _NOT_DEFAULTS))
    params = params_from_json(data)
    validate(params, has_init_image=True)
    return {name: getattr(params, name) for name in data}


def _suggestions(data: Any) -> tuple[str, ...]:
    if not isinstance(data, list):
        raise TypeError("suggestions is not a list")
    return tuple(_line(text, "a suggestion") for text in data)


def _line(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"{what} is not a text")
    return clean_text(value).strip()


def _refuse_unknown(data: dict[str, Any], known: tuple[str, ...]) -> None:
    unknown = sorted(set(data) - set(known))
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is not known here; known are {', '.join(known)}")
