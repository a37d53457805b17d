"""Where fonts are looked for, and in which order."""

from __future__ import annotations

from pathlib import Path

from desktop_app.store.fonts import font_files, font_folders


def test_plain_fonts_come_first_and_other_files_not_at_all(tmp_path):
    for name in ("a/Zapf.otf", "a/NotoSans-Bold.ttf", "b/c/DejaVuSans.ttf", "b/Arial.TTF", "b/a.woff", "b/readme.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = [path.name for path in font_files([tmp_path / "a", tmp_path / "b", tmp_path / "gone"])]
    assert found == ["DejaVuSans.ttf", "Arial.TTF", "Zapf.otf", "NotoSans-Bold.ttf"]


def test_each_kind_of_machine_has_its_folders():
    linux = [*font_folders("linux", {"XDG_DATA_DIRS": "/one:/two", "XDG_DATA_HOME": "/own"})]
    assert linux == [Path("/one/fonts"), Path("/two/fonts"), Path("/own/fonts"), Path.home() / ".fonts"]
    assert Path("/usr/share/fonts") in font_folders("linux", {})
    assert Path("/System/Library/Fonts") in font_folders("darwin", {})
    windows = {"WINDIR": "windows", "LOCALAPPDATA": "own"}
    assert [*font_folders("win32", windows)] == [Path("windows/Fonts"), Path("own/Microsoft/Windows/Fonts")]
    assert not [*font_folders("win32", {})]
