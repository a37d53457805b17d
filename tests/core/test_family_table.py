"""The README's table of families."""

from __future__ import annotations

import pytest
from support import PROJECT

from desktop_app.core.families import FAMILIES
from desktop_app.core.family_table import BEGIN, END, main, make_table, put_into


def cells(label):
    lines = [line.strip("| ").split(" | ") for line in make_table().splitlines()]
    return dict(zip(lines[0], next(line for line in lines if line[0] == label), strict=True))


def test_each_family_has_one_line():
    labels = [line.split(" | ")[0].removeprefix("| ") for line in make_table().splitlines()[2:]]
    assert labels == list(dict.fromkeys(family.label for family in FAMILIES))


def test_a_line_tells_what_the_family_takes():
    kontext = cells("Flux Kontext")
    assert kontext["From a picture"] == kontext["From the prompt alone"] == kontext["Guidance"] == "yes"
    assert kontext["Strength"] == kontext["Negative prompt"] == "-"
    assert kontext["Schedulers"] == "its own"
    assert kontext["Native size"] == "1024 px"


def test_a_line_tells_what_goes_with_it():
    assert "Kandinsky 2.2 prior" in cells("Kandinsky 2.2")["Works with"]
    assert cells("Kandinsky 2.2 prior")["Works with"].startswith("Kandinsky 2.2, Kandinsky 2.2 inpainting")
    assert "refiner" in cells("Stable Diffusion XL")["Works with"]


def test_the_table_is_put_between_its_comments_and_nowhere_else(tmp_path, capsys):
    path = tmp_path / "page.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    main([str(path)])
    assert path.read_text() == f"before\n{BEGIN}\n{make_table()}\n{END}\nafter\n"
    main([])
    assert capsys.readouterr().out.strip() == make_table()
    with pytest.raises(ValueError, match="no lines"):
        put_into("a page without a place for it")


def test_the_readme_has_the_table_as_it_is_now():
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert put_into(text) == text
