"""The README's table of families and what each offers, made from the table that the program itself reads.

``python -m desktop_app.core.family_table`` prints it; with the path of a file it is put there between two comments.
"""

from __future__ import annotations

import sys
from pathlib import Path

from desktop_app.core.families import FAMILIES, KANDINSKY_PRIOR
from desktop_app.core.family import Family
from desktop_app.core.params import DEFAULT_SCHEDULER
from desktop_app.core.request import StageKind
from desktop_app.core.schedulers import SCHEDULERS

BEGIN, END = "<!-- families: begin -->", "<!-- families: end -->"

_HEAD = (
    "Family",
    "From a picture",
    "From the prompt alone",
    "Masked part",
    "Strength",
    "Guidance",
    "Negative prompt",
    "Control images",
    "Adapters",
    "Schedulers",
    "Works with",
    "Native size",
)


def make_table() -> str:
    """The table as Markdown, one line a family, without a line break at its end."""
    families = {family.label: family for family in reversed(FAMILIES)}
    labels = dict.fromkeys(family.label for family in FAMILIES)
    lines = [_HEAD, ("---",) * len(_HEAD), *(_row(families[label]) for label in labels)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def put_into(text: str) -> str:
    """``text`` with the table between its two comments. Raises ValueError where they are missing."""
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"there are no lines {BEGIN} and {END}")
    return f"{before}{begin}\n{make_table()}\n{end}{after}"


def _row(family: Family) -> tuple[str, ...]:
    return (
        family.label,
        _mark(StageKind.IMAGE_TO_IMAGE in family.kinds),
        _mark(StageKind.TEXT_TO_IMAGE in family.kinds),
        _masked_part(family),
        _mark(bool(family.kinds) and family.takes("strength")),
        _mark(family.takes("guidance_scale") or family.takes("prior_guidance_scale")),
        _mark(family.takes("negative_prompt")),
        _mark(family.takes("controls")),
        _mark(family.takes("adapters")),
        _schedulers(family),
        _companions(family),
        _native_size(family),
    )


def _mark(is_there: bool) -> str:
    return "yes" if is_there else "-"


def _masked_part(family: Family) -> str:
    if StageKind.INPAINT in family.kinds:
        return "yes"
    return "cut out of a new picture" if StageKind.IMAGE_TO_IMAGE in family.kinds else "-"


def _schedulers(family: Family) -> str:
    if not family.takes("scheduler"):
        return "its own"
    names = family.schedulers or tuple(SCHEDULERS)
    others = [SCHEDULERS[name].label for name in names if name != DEFAULT_SCHEDULER]
    return f"its own, {', '.join(others)}" if len(names) < len(SCHEDULERS) else f"all {len(SCHEDULERS)}"


def _companions(family: Family) -> str:
    if family.prior:
        return f"{family.prior}, which reads the prompt"
    if family.refiners:
        return f"a refiner: {' or '.join(family.refiners)}"
    if family.label == KANDINSKY_PRIOR:
        return ", ".join(other.label for other in FAMILIES if other.prior == family.label)
    return "-"


def _native_size(family: Family) -> str:
    if not family.kinds:
        return "-"
    return f"{family.native_size} px" if family.native_size else "as the checkpoint says"


def main(arguments: list[str]) -> None:
    """Print the table, or put it into the file that is named."""
    if not arguments:
        print(make_table())
        return
    path = Path(arguments[0])
    path.write_text(put_into(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
