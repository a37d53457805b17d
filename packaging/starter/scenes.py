"""Pictures to learn from, made at random, each with the facts that its captions choose from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from filters import FILTERS, ON_ICONS, Filter, duotone
from pictures import COLOUR_NAMES, COLOURS, Ground, Icons, called, put, random_ground
from PIL import Image, ImageDraw
from recipes import Recipe

PLACES = {
    "on the left": (-0.22, 0.0),
    "on the right": (0.22, 0.0),
    "at the top": (0.0, -0.22),
    "at the bottom": (0.0, 0.22),
}
SHAPES = ("ball", "box", "triangle")


@dataclass(frozen=True)
class Scene:
    """What a picture shows, in words: ``things`` come first, then how it is drawn, then what lies behind."""

    things: tuple[str, ...]
    drawn: str
    ground: Ground | None
    """None where nothing of it is left to be seen."""
    tags: tuple[str, ...] = ()
    place: str = ""

    def caption(self, rng: np.random.Generator) -> str:
        """``[a ]thing[, tag][, style][, place][, ground]``, each part left out now and then; one in ten is empty."""
        if rng.random() < 0.1:
            return ""
        words = self.things[rng.integers(len(self.things))]
        parts = [with_article(words) if rng.random() < 0.4 else words]
        if self.tags and rng.random() < 0.1:
            parts.append(self.tags[rng.integers(len(self.tags))])
        if rng.random() < 0.85:
            parts.append(self.drawn)
        if self.place and rng.random() < 0.9:
            parts.append(self.place)
        if self.ground and rng.random() < (0.5 if self.ground == Ground("white") else 0.92):
            parts.append(self.ground.words())
        return ", ".join(parts)


class Maker:
    """Makes the pictures of a recipe from icons."""

    def __init__(self, icons: Icons, recipe: Recipe) -> None:
        self.icons = icons
        self.recipe = recipe
        self.own = icons.where(set(recipe.concepts), recipe.styles)
        self.others = [n for n in icons.where(None, recipe.styles) if n not in set(self.own)] or self.own

    def make(self, rng: np.random.Generator) -> tuple[Image.Image, Scene]:
        """A picture, ``recipe.side`` pixels each way, and what it shows."""
        kind = rng.random()
        if kind < self.recipe.share_filtered:
            return self._filtered(self._one(self.own, rng), FILTERS[rng.integers(len(FILTERS))], rng)
        kind -= self.recipe.share_filtered
        if kind < self.recipe.share_pairs:
            return self._pair(rng)
        kind -= self.recipe.share_pairs
        if kind < self.recipe.share_placed:
            return self._placed(self._one(self.own, rng), rng)
        kind -= self.recipe.share_placed
        return self._alone(self._one(self.others if kind < self.recipe.share_others else self.own, rng), rng)

    def _one(self, numbers: list[int], rng: np.random.Generator) -> int:
        return numbers[rng.integers(len(numbers))]

    def _alone(self, number: int, rng: np.random.Generator) -> tuple[Image.Image, Scene]:
        ground = random_ground(rng)
        picture = ground.image(self.recipe.side)
        put(self.icons.image(number), picture, rng.uniform(0.84, 0.96), *rng.uniform(-0.025, 0.025, 2))
        return picture, self._scene(number, ground)

    def _filtered(self, number: int, use: Filter, rng: np.random.Generator) -> tuple[Image.Image, Scene]:
        icon, ground, words = self.icons.image(number), random_ground(rng), ""
        if use in ON_ICONS:
            icon, words = use(icon, rng)
            if words != "watercolour" and ground.colour in ("black", "brown", "purple"):
                ground = Ground("white")  # where dark lines could not be seen
        picture = ground.image(self.recipe.side)
        put(icon, picture, rng.uniform(0.84, 0.96), *rng.uniform(-0.025, 0.025, 2))
        if use not in ON_ICONS:
            picture, words = use(picture, rng)
        return picture, self._scene(number, None if use is duotone else ground, words)

    def _placed(self, number: int, rng: np.random.Generator) -> tuple[Image.Image, Scene]:
        ground = random_ground(rng)
        picture = ground.image(self.recipe.side)
        place = str(rng.choice(["", *PLACES]))
        put(self.icons.image(number), picture, rng.uniform(0.42, 0.52), *PLACES.get(place, (0.0, 0.0)))
        return picture, self._scene(number, ground, place=place, before="small ")

    def _pair(self, rng: np.random.Generator) -> tuple[Image.Image, Scene]:
        ground = random_ground(rng)
        picture = ground.image(self.recipe.side)
        number = self._one(self.own, rng)
        other, other_words = self._shape(rng)
        if rng.random() < 0.6:
            second = self._one(self.own, rng)
            other, other_words = self.icons.image(second), called(self.icons.items[second])
        above = rng.random() < 0.3
        offset = (0.0, 0.24) if above else (0.24, 0.0)
        put(self.icons.image(number), picture, rng.uniform(0.46, 0.52), -offset[0], -offset[1])
        put(other, picture, rng.uniform(0.42, 0.5), *offset)
        first = called(self.icons.items[number])
        joins = ("above",) if above else ("beside", "and", "next to")
        things = tuple(f"{first} {join} {with_article(other_words)}" for join in joins)
        return picture, Scene(things, f"{self.icons.items[number]['style']} icon", ground)

    def _shape(self, rng: np.random.Generator) -> tuple[Image.Image, str]:
        """A ball, a box or a triangle of a colour."""
        shape, colour = SHAPES[rng.integers(len(SHAPES))], COLOUR_NAMES[rng.integers(len(COLOUR_NAMES))]
        image = Image.new("RGBA", (128, 128))
        draw = ImageDraw.Draw(image)
        if shape == "ball":
            draw.ellipse((6, 6, 122, 122), fill=COLOURS[colour])
        elif shape == "box":
            draw.rectangle((12, 12, 116, 116), fill=COLOURS[colour])
        else:
            draw.polygon(((64, 8), (120, 116), (8, 116)), fill=COLOURS[colour])
        return image, f"{colour} {shape}"

    def _scene(self, number: int, ground: Ground | None, drawn: str = "", place: str = "", before: str = "") -> Scene:
        item: dict[str, Any] = self.icons.items[number]
        things = tuple(dict.fromkeys(before + name for name in (called(item), called(item), item["label"])))
        return Scene(things, drawn or f"{item['style']} icon", ground, tuple(item["tags"]), place)


def with_article(words: str) -> str:
    """``a`` or ``an`` before it, unless it stands for several."""
    if words.endswith("ies"):
        return words
    return f"an {words}" if words[0] in "aeio" else f"a {words}"
