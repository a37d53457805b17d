"""Lettering: which font writes a text, and what is said where there is none."""

from __future__ import annotations

import string

import pytest
from PIL import Image, ImageDraw, features
from tiny_font import tiny_font

from desktop_app.core.contact_sheet import contact_sheet
from desktop_app.core.lettering import Lettering

ENGLISH = string.ascii_letters + string.digits + "…"


@pytest.fixture
def font(tmp_path):
    def make(name, letters):
        path = tmp_path / name
        path.write_bytes(tiny_font(letters))
        return path

    return make


def written(lettering, text, room=400):
    picture = Image.new("RGB", (400, 60), "white")
    lettering.write(ImageDraw.Draw(picture), (10, 10), text, room)
    return picture.tobytes()


def test_english_is_written_with_the_font_that_is_always_there(font):
    def never():
        pytest.fail("no other font is looked for")
        yield

    assert not Lettering(["Strength 0.4 …"], 20, never()).missing


def test_other_letters_are_written_with_a_font_that_has_them(font):
    fonts = [font("latin.ttf", ENGLISH + "ö"), font("both.ttf", ENGLISH + "ö犬")]
    plain, helped = Lettering(["犬 schön"], 20), Lettering(["犬 schön"], 20, fonts)
    assert (plain.missing, helped.missing, helped.problem) == ("ö犬", "", None)
    assert written(helped, "犬") != written(plain, "犬")
    assert written(helped, "犬") != written(helped, "ö")


def test_fonts_help_each_other_out_within_a_line(font):
    lettering = Lettering(["a犬"], 20, [font("dogs.ttf", "犬猫")])
    assert not lettering.missing
    assert lettering.width("a犬") == pytest.approx(lettering.width("a") + lettering.width("犬"), abs=1)
    assert written(lettering, "a犬") != written(lettering, "aa")


def test_letters_that_no_font_has_are_named(font):
    problem = Lettering(["a犬\u202e 猫"], 20, [font("dogs.ttf", "犬")]).problem
    assert "no font for 猫" in str(problem)
    assert "Install" in problem.hint


def test_files_that_are_no_fonts_are_passed_over(tmp_path, font):
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    fonts = [broken, tmp_path / "gone.ttf", font("dogs.ttf", "犬")]
    assert not Lettering(["犬"], 20, fonts).missing


def test_words_from_the_right_are_written_from_the_right_or_it_is_said(font, monkeypatch):
    fonts = [font("arabic.ttf", ENGLISH + "قطة")]
    lettering = Lettering(["Prompt قطة"], 20, fonts)
    assert (lettering.problem is None) == features.check("raqm")
    if features.check("raqm"):
        assert written(lettering, "قطة") == written(Lettering(["\u202dةطق"], 20, fonts), "\u202dةطق")
    monkeypatch.setattr(features, "check", lambda _: False)
    assert "FriBidi" in lettering.problem.hint


def test_what_is_too_wide_ends_in_an_ellipsis(font):
    lettering = Lettering([], 20, [])
    short = lettering.shorten("many\nwords " * 500, 200)
    assert short.startswith("many words")
    assert short.endswith("…")
    assert 160 < lettering.width(short) <= 200
    assert lettering.shorten("as it is", 200) == "as it is"
    assert lettering.shorten("name \udcff", 200) == "name ?"


def test_lines_end_between_words_and_the_last_one_has_the_rest():
    lettering = Lettering([], 20)
    lines = lettering.wrap("one two three four five six", 100, 3)
    assert len(lines) == 3
    assert " ".join(lines) == "one two three four five six"
    assert max(map(lettering.width, lines[:2])) <= 100
    assert lettering.wrap("one two", 10, 0) == []


def test_a_sheet_says_what_could_not_be_written():
    sheet = contact_sheet([Image.new("RGB", (64, 64))] * 2, 2, captions=["a", "犬"])
    assert "犬" in str(sheet.problem)
    assert contact_sheet([Image.new("RGB", (64, 64))], 1, title="a").problem is None
