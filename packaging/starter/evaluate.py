"""Figures and sheets of a starter checkpoint: what its card says is measured here.

python packaging/starter/evaluate.py WORK [MODEL] [--recipe cpu] [--out FOLDER]

MODEL is ``resources/starter`` where it is not said. Icons and judge are fetched and trained where WORK has none.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from figures import (
    STRENGTHS,
    UNKNOWN,
    Bench,
    Figures,
    adherence,
    codec,
    copies,
    grounds,
    judge_itself,
    repainting,
    speed,
    strength,
    unknown_words,
)
from icons import fetch_icons
from judge import get_judge
from painter import GUIDANCE, save_sheet, start_pictures
from pictures import load_icons
from recipes import RECIPES, Recipe
from report import write_table
from sittings import add_common, begin, to_tensor

SHIPPED = Path(__file__).resolve().parents[2] / "resources" / "starter"
REPORT = Path(__file__).parent / "report"
SHOWN = (
    *("cat-face", "panda", "fox", "frog", "butterfly", "lady-beetle", "sunflower", "mushroom"),
    *("lemon", "strawberry", "doughnut", "soft-ice-cream", "rocket", "balloon", "jack-o-lantern", "rainbow"),
)
"""The sixteen prompts of the sheets."""

WAYS = (
    *("silhouette", "line drawing", "pencil drawing", "watercolour", "pixel art", "mosaic"),
    "purple and yellow duotone",
)
"""Words of the filters, in their order."""

GROUNDS = ("white", "light blue", "yellow", "white", "green", "pink", "white", "purple")
NEGATIVES = ("", "white background", "red background", "yellow", "cartoon icon", "small")


def main() -> None:
    """Measure, and write ``figures.json`` and the sheets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser)
    parser.add_argument("model", type=Path, nargs="?", default=SHIPPED)
    parser.add_argument("--out", type=Path, default=REPORT, help="where not here, the README's table stays as it is")
    options = parser.parse_args()
    begin(options.threads)
    figures = evaluate(make_bench(options.work, options.model, RECIPES[options.recipe]), options.out)
    if options.out == REPORT:
        write_table(figures)


def make_bench(work: Path, model: Path, recipe: Recipe) -> Bench:
    """All that it takes to measure the checkpoint in ``model``; what ``work`` lacks is fetched and trained."""
    fetch_icons(work)
    icons = load_icons(work)
    return Bench(model, get_judge(work, icons, recipe), icons, recipe)


def evaluate(bench: Bench, out: Path) -> Figures:
    """All figures, written to ``out`` with the sheets."""
    out.mkdir(parents=True, exist_ok=True)
    figures: Figures = {"recipe": bench.recipe.name, "concepts": len(bench.recipe.concepts)}
    for measure in (speed, judge_itself, codec, adherence, grounds, strength, repainting, unknown_words):
        found = measure(bench)
        figures |= found
        print(found, flush=True)
    copied, rows = copies(bench)
    figures |= copied
    save_sheet(rows, out / "nearest.png", 1)
    draw_sheets(bench, out)
    (out / "figures.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return figures


def draw_sheets(bench: Bench, out: Path) -> None:
    """For people to look at: a sheet for each thing that a user can change."""
    painter = bench.painter
    plain = [[bench.prompt(name, f"{style} icon") for name in SHOWN] for style in bench.recipe.styles]
    save_sheet([painter.paint(row, seed) for seed in (1, 2) for row in plain], out / "prompts.png")
    coloured = [bench.prompt(name, ground=GROUNDS[number % len(GROUNDS)]) for number, name in enumerate(SHOWN)]
    save_sheet([painter.paint(coloured, 4, guidance) for guidance in (1, 3, 5, 9)], out / "guidance.png")
    save_sheet([painter.paint(coloured[:8], 4, GUIDANCE, words) for words in NEGATIVES], out / "negative.png")
    save_sheet(
        [painter.paint([f"{bench.labels[name]}, {words}" for name in SHOWN[::2]], 6) for words in WAYS],
        out / "styles.png",
    )
    starts = start_pictures(bench.icons, painter.side)
    prompts = [
        bench.prompt("red-apple", "cartoon icon", "light blue"),
        bench.prompt("lemon"),
        bench.prompt("fox"),
        bench.prompt("rocket"),
    ]
    rows = [torch.stack([to_tensor(start) for start in starts])]
    rows += [painter.repaint(starts, prompts, value, 5) for value in STRENGTHS]
    save_sheet(list(torch.stack(rows, 1)), out / "strength.png")
    things = ("apple", "tangerine", "dog", "house")
    ways = [WAYS[number] for number in (1, 4, 3, 6)]
    rows = [rows[0]] + [painter.repaint(starts, [f"{thing}, {words}" for thing in things], 0.6, 5) for words in ways]
    save_sheet(list(torch.stack(rows, 1)), out / "restyle.png")
    save_sheet([painter.paint(list(UNKNOWN), seed) for seed in (1, 2)], out / "unknown.png")


if __name__ == "__main__":
    main()
