"""Recipe: a named way of working, with a checkpoint, good defaults and perhaps a chain. Read from a TOML file, and
written to one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from desktop_app.core.chain import Card
from desktop_app.core.checkpoint import STARTER
from desktop_app.core.conditions import Control
from desktop_app.core.errors import RequestError
from desktop_app.core.kinds import StageKind
from desktop_app.core.params import PARAM_SPECS, Params, clean_text
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
from desktop_app.core.validation import params_from_json, validate

LAST = 1000
"""``order`` of a recipe that does not say one."""

_TEXTS = ("label", "checkpoint", "description")
_LISTS = ("needs", "trigger_words", "suggestions", "negative_suggestions")
_TABLES = ("chain", "controls", "adapters")
"""Fields of `Params` that are lists of tables: in the file they stand beside ``defaults``, one ``[[chain]]`` a card."""

_KEYS = (*_TEXTS, "order", *_LISTS, "defaults", *_TABLES)
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

_OF_THE_WAY = ("first_stage", *_TABLES, "colour_match")
"""What makes a way of working: a recipe that does not name it does without, whatever was there before."""


@dataclass(frozen=True)
class Recipe:
    """``name`` is the file's, ``label`` what the user reads, ``description`` a sentence for a tip, ``order`` its place
    among others. ``defaults`` are some fields of `Params` and their values, those of ``chain``, ``controls`` and
    ``adapters`` too, without any picture; ``needs`` the REFs that must be there beside those that these name.
    ``suggestions`` are prompts that suit it, ``negative_suggestions`` negative prompts, ``trigger_words`` what calls
    the checkpoint's own style.
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
        stages = _refs_of_stages(self.defaults.get("chain", ()), self.defaults.get("controls", ()))
        return tuple(dict.fromkeys(ref for ref in (*named, *stages) if ref and ref != STARTER))

    def apply(self, params: Params) -> Params:
        """``params`` with the recipe's checkpoint and defaults; prompts, seed, size and mask stay. It is the whole way
        of working: a recipe without a chain, control images or adapters takes those away that were there.
        """
        usual = {name: getattr(Params(), name) for name in (*_OF_THE_CHECKPOINT, *_OF_THE_WAY)}
        return dataclasses.replace(params, checkpoint=self.checkpoint, recipe=self.name, **{**usual, **self.defaults})


def refs_used(params: Params) -> tuple[str, ...]:
    """The REFs of every checkpoint that ``params`` name, those of cards and control images that are on among them."""
    named = (params.checkpoint, params.prior, params.refiner)
    cards = [card for card in params.chain if card.is_on]
    stages = _refs_of_stages(cards, [control for control in params.controls if control.is_on])
    return tuple(dict.fromkeys(ref for ref in (*named, *stages) if ref))


def _refs_of_stages(cards: Iterable[Card], controls: Iterable[Control]) -> Iterator[str]:
    """A pixel upscaler is a file, which nobody can fetch by its name."""
    for card in cards:
        if card.kind is not StageKind.PIXEL_UPSCALE:
            yield card.checkpoint
    for control in controls:
        yield from (control.checkpoint, control.annotator)


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
        if value is not None and name not in _TABLES
    }
    for name in _TABLES:
        values[name] = tuple(_table(item) for item in recipe.defaults.get(name, ()))
    text = write_toml({name: value for name, value in values.items() if value != ()})
    try:
        text.encode()
    except UnicodeEncodeError as e:
        hint = "Give its file or folder a name with usual letters."
        line = next(line for line in text.splitlines() if not line.isascii() and not _is_text(line))
        raise RequestError("The recipe cannot be kept", ascii(line), hint, "recipe") from e
    return text


def _is_text(line: str) -> bool:
    return line == line.encode(errors="ignore").decode()


def _table(item: Any) -> dict[str, Any]:
    """A card, a control or an adapter as a recipe's file has it. Pictures belong to the work, not to the way."""
    return {name: value for name, value in item.to_json().items() if value is not None and name != "image"}


def make_recipe(label: str, params: Params, description: str = "") -> Recipe:
    """A recipe, still without a name, of what the controls show: the prompts become suggestions. Pictures of control
    images and adapters stay behind, as the init image does: a control image will be derived from that.

    Raises `RequestError` for a label without any letter or figure.
    """
    label = " ".join(clean_text(label).split())
    if not any(char.isalnum() for char in label):
        raise RequestError("The recipe has no name", repr(label), "Give it one with letters or figures.", "recipe")
    defaults = {name: _without_pictures(getattr(params, name)) for name in PARAM_SPECS if name not in _NOT_DEFAULTS}
    return Recipe(
        name="",
        label=label,
        checkpoint=params.checkpoint,
        defaults={name: value for name, value in defaults.items() if value is not None and value != ()},
        suggestions=_given(params.prompt),
        description=clean_text(description).strip(),
        negative_suggestions=_given(params.negative_prompt),
    )


def _without_pictures(value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    return tuple(_without_picture(item) for item in value)


def _without_picture(item: Any) -> Any:
    if getattr(item, "image", None) is None:
        return item
    changes = {"derive": True} if isinstance(item, Control) else {}
    return dataclasses.replace(item, image=None, **changes)


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
        defaults={**_defaults(data.get("defaults", {})), **_tables(data)},
        **{key: as_lines(data.get(key, []), key) for key in _LISTS},
    )


def _defaults(data: Any) -> dict[str, Any]:
    refuse_unknown(data, tuple(name for name in PARAM_SPECS if name not in (*_NOT_DEFAULTS, *_TABLES)), "defaults")
    params = params_from_json(data)
    validate(params, has_init_image=True)
    return {name: getattr(params, name) for name in data}


def _tables(data: dict[str, Any]) -> dict[str, Any]:
    """The lists of tables that are not empty. Raises TypeError, ValueError, `RequestError`."""
    given = {name: data[name] for name in _TABLES if data.get(name)}
    for name, items in given.items():
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise TypeError(f"{name} is not a list of tables, [[{name}]]")
        if any("image" in item for item in items):
            raise ValueError(f"{name}: image is not known here, since a recipe holds no pictures")
    params = params_from_json(given)
    return {name: getattr(params, name) for name in given}
