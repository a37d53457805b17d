"""The table of a checkpoint's figures, beside what was asked of it, in the README of this folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def make_table(figures: dict[str, Any]) -> str:
    """Markdown, a row a check; ``figures`` as ``evaluate.py`` finds them."""
    asked = {"cpu": 0, "gpu": 1}[figures["recipe"]]
    judged = figures["adherence_guidance_4"]
    rough, unseen = figures["judge_icons_of_8_pixels"], figures["judge_unseen_style"]
    rows = [
        ("codec, 200 icons it never saw", (">= 26 dB", ">= 28 dB"), f"{figures['codec_psnr_db']} dB"),
        (
            f"the judge names what was asked for, at once / within five ({figures['concepts']} things, guidance 4)",
            (">= 70 / 90 %", ">= 60 / 85 %"),
            f"**{judged[0]} / {judged[1]} %**",
        ),
        ("the same at guidance 1", ("less", "less"), "{} / {} %".format(*figures["adherence_guidance_1"])),
        (
            f"the judge itself, of {figures['judge_concepts']}: icons in a style it never saw",
            ("-", "-"),
            f"{unseen[0]} / {unseen[1]} %",
        ),
        (
            "the judge itself: true icons of 8 x 8 pixels",
            ("less at once", "less by 10 at once"),
            f"{rough[0]} / {rough[1]} %",
        ),
        (
            "the judge itself: true icons of 4 x 4 pixels",
            ("-", "-"),
            "{} / {} %".format(*figures["judge_icons_of_4_pixels"]),
        ),
        ("background of the colour that was named", (">= 90 %", ">= 95 %"), figures["ground_obeyed"]),
        (
            "more strength, further from the init image, 0.2 to 1.0: mean of 16 pairs / pairs without exception",
            ("all steps", "all steps"),
            f"{'all' if figures['strength_mean_rises'] else 'not all'} steps / {figures['strength_pairs_rising']}",
        ),
        ("likeness (SSIM) to the init image at strength 0.2", (">= 0.65", ">= 0.75"), str(figures["ssim_at_0.2"])),
        (
            "another icon repainted at strength 0.8: reads as the target / still as itself",
            (">= 50 / <= 15 %", ">= 50 / <= 15 %"),
            f"{figures['repainted_reads_as_target']} / {figures['repainted_reads_as_start']} %",
        ),
        (
            "distance at strength 0.3 with words it does not know / knows; always finite",
            ("-", "-"),
            f"{figures['distance_at_0.3_unknown_words']} / {figures['distance_at_0.3_known_words']}; "
            f"{'yes' if figures['unknown_words_always_finite'] else 'no'}",
        ),
        ("near copies of a render it learned from, of 64 pictures", ("-", "-"), figures["near_copies"]),
        ("size", ("<= 20 MB", "<= 40 MB"), f"{figures['megabytes']} MB"),
        ("to load", ("<= 2 s", "<= 2 s"), f"{figures['seconds_to_load']} s"),
        (
            f"one picture, 20 steps, {figures['threads']} threads",
            ("<= 3 s", "<= 12 s"),
            f"{figures['seconds_20_steps']} s",
        ),
    ]
    lines = [f"| {what} | {wanted[asked]} | {found} |" for what, wanted, found in rows]
    return "\n".join([f"| check | asked | {figures['recipe']} recipe |", "|---|---|---|", *lines])


def write_table(figures: dict[str, Any], readme: Path = README) -> None:
    """Put the table where the README has its marks."""
    text = readme.read_text(encoding="utf-8")
    table = f"{BEGIN}\n{make_table(figures)}\n{END}"
    readme.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: table, text, flags=re.DOTALL), encoding="utf-8")
