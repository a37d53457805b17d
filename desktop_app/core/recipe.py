"""Recipe: a named way of working, with a checkpoint and good defaults. Read from a TOML file, and written to one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from desktop_app.core.checkpoint import STARTER
from desktop_app.core.errors import RequestError
from desktop_app.core.params import PARAM_SPECS, Params, clean_text, params_from_json, validate
from desktop_app.core.toml_text import (
    CANNOT_BE_READ,
    as_count,
    as_line,
    as_lines,
    as_ref,
    read_toml,
    reason,
    refuse_unknown,
    write_toml,
)

LAST = 1000
"""``order`` of a recipe that does not say one."""

_TEXTS = ("label", "checkpoint", "description")
_LISTS = ("needs", "trigger_words", "suggestions", "negative_suggestions")
_KEYS = (*_TEXTS, "order", *_LISTS, "defaults")
_NOT_DEFAULTS = ("prompt", "negative_prompt", "seed", "count", "checkpoint", "recipe")
"""What a recipe leaves as the user has it, or says elsewhere."""

_OF_THE_CHECKPOINT = (
    "strength",
    "guidance_scale",
    "steps",
    "scheduler",
    "prior",
    "prior_steps",
    "prior_guidance_scale",
    "refiner",
    "refiner_share",
    "refiner_strength",
    "aesthetic_score",
    "negative_aesthetic_score",
    "original_width",
    "original_height",
)
"""What one checkpoint needs otherwise than another: where a recipe does not name it, it is the usual one again."""


@dataclass(frozen=True)
class Recipe:
    """``name`` is the file's, ``label`` what the user reads, ``description`` a sentence for a tip, ``order`` its place
    among others. ``defaults`` are some fields of `Params` and their values; ``needs`` the REFs that must be there
    beside ``checkpoint``. ``suggestions`` are prompts that suit it, ``negative_suggestions`` negative prompts,
    ``trigger_words`` what calls the checkpoint's own style.
    """

    name: str
    label: str
    checkpoint: str
    defaults: dict[str, Any] = field(default_factory=dict)
    suggestions: tuple[str, ...] = ()
    description: str = ""
    needs: tuple[str, ...] = ()
    trigger_words: tuple[str, ...] = ()
    negative_suggestions: tuple[str, ...] = ()
    order: int = LAST

    @property
    def refs(self) -> tuple[str, ...]:
        """The REFs of every checkpoint that it takes, the starter left out: it is always there."""
        named = (self.checkpoint, *self.needs, self.defaults.get("prior", ""), self.defaults.get("refiner", ""))
        return tuple(dict.fromkeys(ref for ref in named if ref and ref != STARTER))

    def apply(self, params: Params) -> Params:
        """``params`` with the recipe's checkpoint and defaults; prompts and seed stay."""
        usual = {name: getattr(Params(), name) for name in _OF_THE_CHECKPOINT}
        return dataclasses.replace(params, checkpoint=self.checkpoint, recipe=self.name, **{**usual, **self.defaults})


def read_recipe(path: Path) -> Recipe:
    """The recipe in the TOML file ``path``. Raises `RequestError`, also for a key it does not know."""
    try:
        return _recipe(path.stem, read_toml(path))
    except (*CANNOT_BE_READ, RequestError) as e:
        detail = f"{path.name}: {reason(e)}"
        raise RequestError("The recipe cannot be read", detail, "Correct the file.", "recipe") from e


def read_recipes(folder: Path) -> list[Recipe]:
    """All recipes in ``folder``, in their order. Raises `RequestError` at the first that cannot be read."""
    return in_order(read_recipe(path) for path in folder.glob("*.toml"))


def in_order(recipes: Iterable[Recipe]) -> list[Recipe]:
    """As the user sees them: by what they say themselves, then by label."""
    return sorted(recipes, key=lambda recipe: (recipe.order, recipe.label.casefold(), recipe.name))


def write_recipe(recipe: Recipe) -> str:
    """The text of a TOML file that `read_recipe` reads back. Raises `RequestError` where a path is no text."""
    values: dict[str, Any] = {name: getattr(recipe, name) for name in (*_TEXTS, *_LISTS) if getattr(recipe, name)}
    if recipe.order != LAST:
        values["order"] = recipe.order
    values["defaults"] = {
        name: value.value if isinstance(value, Enum) else value
        for name, value in recipe.defaults.items()
        if value is not None
    }
    text = write_toml(values)
    try:
        text.encode()
    except UnicodeEncodeError as e:
        hint = "Give its file or folder a name with usual letters."
        raise RequestError("The recipe cannot be kept", repr(recipe.checkpoint), hint, "recipe") from e
    return text


def make_recipe(label: str, params: Params, description: str = "") -> Recipe:
    """A recipe, still without a name, of what the controls show: the prompts become suggestions.

    Raises `RequestError` for a label without any letter or figure.
    """
    label = " ".join(clean_text(label).split())
    if not any(char.isalnum() for char in label):
        raise RequestError("The recipe has no name", repr(label), "Give it one with letters or figures.", "recipe")
    defaults = {name: getattr(params, name) for name in PARAM_SPECS if name not in _NOT_DEFAULTS}
    return Recipe(
        name="",
        label=label,
        checkpoint=params.checkpoint,
        defaults={name: value for name, value in defaults.items() if value is not None},
        suggestions=_given(params.prompt),
        description=clean_text(description).strip(),
        negative_suggestions=_given(params.negative_prompt),
    )


def _given(text: str) -> tuple[str, ...]:
    cleaned = clean_text(text).strip()
    return (cleaned,) if cleaned else ()


def _recipe(name: str, data: dict[str, Any]) -> Recipe:
    refuse_unknown(data, _KEYS, "the recipe")
    return Recipe(
        name=name,
        label=as_line(data["label"], "label"),
        checkpoint=as_ref(data["checkpoint"], "checkpoint"),
        description=as_line(data["description"], "description") if "description" in data else "",
        order=as_count(data.get("order", LAST), "order"),
        defaults=_defaults(data.get("defaults", {})),
        **{key: as_lines(data.get(key, []), key) for key in _LISTS},
    )


def _defaults(data: Any) -> dict[str, Any]:
    refuse_unknown(data, tuple(name for name in PARAM_SPECS if name not in _NOT_DEFAULTS), "defaults")
    params = params_from_json(data)
    validate(params, has_init_image=True)
    return {name: getattr(params, name) for name in data}
