"""Styles: words around both prompts, from files in which a slip is told."""

from __future__ import annotations

import pytest
from support import PROJECT

from desktop_app.core.errors import RequestError
from desktop_app.core.styles import STYLES_NAME, Style, apply_style, find_style, read_styles
from desktop_app.core.weighting import parse

INK = Style("ink", "Ink", "ink drawing of {prompt}, black", "colour, blur")


def read(tmp_path, text):
    path = tmp_path / STYLES_NAME
    path.write_text(text, encoding="utf-8")
    return read_styles(path)


def test_the_programs_own_styles_are_words_that_can_be_read():
    styles = read_styles(PROJECT / "resources" / STYLES_NAME)
    assert len(styles) >= 16
    assert len({style.label for style in styles}) == len(styles)
    for style in styles:
        prompt, negative = apply_style(style, "a cat", "dog")
        assert "a cat" in prompt
        assert negative.startswith("dog, ")
        assert parse(prompt).is_plain
        assert not parse(prompt).problems


def test_styles_come_in_the_order_of_their_file(tmp_path):
    text = (
        '[b]\nlabel = " B "\nprompt = "{prompt}, b"\n[a]\nlabel = "A"\nprompt = "{prompt}"\nnegative = "x {negative}"'
    )
    assert read(tmp_path, text) == [Style("b", "B", "{prompt}, b"), Style("a", "A", "{prompt}", "x {negative}")]


@pytest.mark.parametrize(
    ("style", "prompts", "expected"),
    [
        (INK, ("a cat", "dog"), ("ink drawing of a cat, black", "dog, colour, blur")),
        (INK, ("a cat", ""), ("ink drawing of a cat, black", "colour, blur")),
        (INK, (" ", "dog"), ("ink drawing of, black", "dog, colour, blur")),
        (Style("s", "S", "{prompt}, black"), ("", "dog"), ("black", "dog")),
        (Style("s", "S", "{prompt}", "blur, {negative}, noise"), ("a", "dog"), ("a", "blur, dog, noise")),
        (Style("s", "S", "{prompt}", "blur, {negative}"), ("a {prompt}", ""), ("a {prompt}", "blur")),
    ],
)
def test_the_words_of_a_style_stand_around_both_prompts(style, prompts, expected):
    assert apply_style(style, *prompts) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ink = 1", "ink is not a table"),
        ('[ink]\nprompt = "{prompt}"', "'label' is missing"),
        ('[ink]\nlabel = "Ink"\nprompt = "ink"', "{prompt} is not in the prompt of ink"),
        ('[ink]\nlabel = "Ink"\nprompt = "{prompt} {prompt}"', "more than once"),
        ('[ink]\nlabel = "Ink"\nprompt = "{prompt}"\nnegative = "{negative}{negative}"', "negative of ink"),
        ('[ink]\nlabel = "Ink"\nprompt = "{a|{prompt}}"', "a brace in ink"),
        ('[ink]\nlabel = "Ink"\nprompt = "{prompt}"\ncolour = "x"', "colour is not known here"),
        ('[ink]\nlabel = "Ink"\nprompt = ["{prompt}"]', "prompt of ink is not a text"),
        ("[ink", "styles.toml: "),
    ],
)
def test_a_slip_in_the_file_is_told(tmp_path, text, told):
    with pytest.raises(RequestError) as caught:
        read(tmp_path, text)
    assert caught.value.param == "style"
    assert told in caught.value.detail


def test_a_style_is_found_by_its_name():
    assert find_style([INK], "ink") is INK
    assert find_style([INK], "") is None
    with pytest.raises(RequestError, match="no such style"):
        find_style([INK], "oil")
