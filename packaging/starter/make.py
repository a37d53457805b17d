"""Makes the starter checkpoint from nothing: icons, tokenizer, codec, training, figures. What is there already is kept.

python packaging/starter/make.py WORK [--recipe cpu] [--device cpu] [--workers 1] [--steps N] [--minutes M]

The result is WORK/model, its figures and sheets are in WORK/report.
"""

from __future__ import annotations

import argparse

from codec import train_codec
from evaluate import evaluate, make_bench
from icons import fetch_icons
from recipes import RECIPES
from sittings import add_common
from train import add_training, train_model
from words import train_tokenizer


def main() -> None:
    """One step after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser)
    add_training(parser)
    options = parser.parse_args()
    work, recipe = options.work, RECIPES[options.recipe]
    fetch_icons(work)
    train_tokenizer(work, recipe)
    train_codec(work, recipe, options.device, options.threads)
    train_model(work, recipe, options)
    evaluate(make_bench(work, work / "model", recipe), work / "report")


if __name__ == "__main__":
    main()
