"""Makes the tokenizer from the captions' words: byte pairs, so that any other word splits into pieces.

python packaging/starter/words.py WORK [--recipe cpu]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from filters import FILTERS
from pictures import COLOUR_NAMES, PATTERNS, Icons, called, load_icons
from recipes import RECIPES, Recipe
from scenes import PLACES, SHAPES
from sittings import add_common
from transformers import CLIPTokenizer


def make_tokenizer(icons: Icons, recipe: Recipe) -> CLIPTokenizer:
    """Of ``recipe.vocabulary`` tokens at most, ``recipe.tokens`` of them a prompt."""
    texts: list[str] = []
    for item in icons.items:
        texts += [item["label"], called(item), *item["tags"], item["group"].replace("-", " ")]
    drawn = [*(f"{style} icon" for style in recipe.styles), *(use.__name__.replace("_", " ") for use in FILTERS)]
    for colour in COLOUR_NAMES:
        grounds = [colour, f"{colour} to {colour} gradient", *(f"{pattern} {colour}" for pattern in PATTERNS)]
        texts += [f"a small {words}, {ground} background" for words in drawn for ground in grounds] * 4
        texts += [f"{colour} {shape} {place} beside above next to" for shape in SHAPES for place in PLACES] * 4
    tokenizer = CLIPTokenizer().train_new_from_iterator(texts, vocab_size=recipe.vocabulary)
    tokenizer.model_max_length = recipe.tokens
    return tokenizer


def train_tokenizer(work: Path, recipe: Recipe) -> None:
    """Make ``WORK/tokenizer`` where it is missing."""
    if not (work / "tokenizer" / "tokenizer.json").is_file():
        make_tokenizer(load_icons(work), recipe).save_pretrained(work / "tokenizer")


def main() -> None:
    """Make it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser)
    options = parser.parse_args()
    train_tokenizer(options.work, RECIPES[options.recipe])


if __name__ == "__main__":
    main()
