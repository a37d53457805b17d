"""Style: a way of painting, as words that are put around a prompt. Read from a TOML file, a table for each style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from desktop_app.core.chain import PROMPT
from desktop_app.core.choices import read_choices
from desktop_app.core.errors import RequestError
from desktop_app.core.prompt_calls import find_call
from desktop_app.core.toml_text import CANNOT_BE_READ, as_line, read_toml, reason, refuse_unknown

STYLES_NAME = "styles.toml"
"""The file's name, among what the program brought along and in the user's data folder."""

NEGATIVE = "{negative}"
"""What stands for the user's negative prompt in a style's; without it the style's words follow."""

NO_WORDS = ("", "")
"""Around a prompt that has no style."""

_KEYS = ("label", "prompt", "negative")
_SEPARATORS = " ,"


@dataclass(frozen=True)
class Style:
    """``name`` is what `Params.style` says, ``label`` what the user reads. `PROMPT` stands once in ``prompt``, for the
    user's; `NEGATIVE` may stand once in ``negative``.
    """

    name: str
    label: str
    prompt: str
    negative: str = ""

    @property
    def around(self) -> tuple[str, str]:
        """What stands before and behind the prompt."""
        before, _, behind = self.prompt.partition(PROMPT)
        return before, behind

    @property
    def around_negative(self) -> tuple[str, str]:
        """The same of the negative prompt."""
        if NEGATIVE in self.negative:
            before, _, behind = self.negative.partition(NEGATIVE)
            return before, behind
        return "", f", {self.negative}" if self.negative else ""


def read_styles(path: Path) -> list[Style]:
    """The styles in the TOML file ``path``, in its order. Raises `RequestError`, also for a key it does not know."""
    try:
        return [_style(name, table) for name, table in read_toml(path).items()]
    except (*CANNOT_BE_READ, RequestError) as e:
        detail = f"{path.name}: {reason(e)}"
        raise RequestError("The styles cannot be read", detail, "Correct the file.", "style") from e


def find_style(styles: Sequence[Style], name: str) -> Style | None:
    """The style ``name``, None where the name is empty. Raises `RequestError` where there is none of that name."""
    if not name:
        return None
    found = next((style for style in styles if style.name == name), None)
    if found is None:
        known = ", ".join(style.name for style in styles)
        hint = f"Known are: {known}." if known else f"Write one into {STYLES_NAME} in the data folder."
        raise RequestError("There is no such style", name, hint, "style")
    return found


def apply_style(style: Style, prompt: str, negative: str) -> tuple[str, str]:
    """Both prompts with the words of ``style``; choices stay to be made."""
    return surround(prompt, style.around), surround(negative, style.around_negative)


def surround(text: str, around: tuple[str, str]) -> str:
    """``text`` between what is ``around`` it; of a blend and of joined texts, each text."""
    call = find_call(text) if around != NO_WORDS else None
    if call is None:
        return _surround(text, *around)
    quoted = tuple(words.replace('"', '\\"') for words in around)
    made, at = "", 0
    for start, end in call.texts:
        mark = "" if text[start - 1] == '"' else '"'
        made += text[at:start] + mark + _surround(text[start:end], *quoted) + mark
        at = end
    return made + text[at:]


def _surround(text: str, before: str, behind: str) -> str:
    """Around an empty text without the commas that would have parted it from the rest."""
    if text.strip():
        return before + text + behind
    kept = (before.rstrip(_SEPARATORS), behind.strip(_SEPARATORS))
    return ", ".join(part for part in kept if part.strip())


def _style(name: str, table: Any) -> Style:
    refuse_unknown(table, _KEYS, name)
    style = Style(
        name,
        as_line(table["label"], f"label of {name}"),
        as_line(table["prompt"], f"prompt of {name}"),
        as_line(table["negative"], f"negative of {name}") if "negative" in table else "",
    )
    if style.prompt.count(PROMPT) != 1:
        raise ValueError(f"{PROMPT} is not in the prompt of {name}, or more than once")
    if style.negative.count(NEGATIVE) > 1:
        raise ValueError(f"{NEGATIVE} is more than once in the negative of {name}")
    for text in (*style.around, *style.around_negative):
        if read_choices(text).problems:
            raise ValueError(f"a brace in {name} is not closed, or stands around {PROMPT} or {NEGATIVE}")
    return style
