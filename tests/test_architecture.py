"""The rules of the house: direction of imports, budgets, and what may be in a file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from support import PROJECT

FILE_LINES = 500
FUNCTION_LINES = 60
MEDIAN_FUNCTION_LINES = 9

PACKAGE = PROJECT / "desktop_app"
SOURCES = sorted([*PACKAGE.rglob("*.py"), *(PROJECT / "packaging").rglob("*.py"), *(PROJECT / "tests").rglob("*.py")])

HEAVY = ("torch", "diffusers", "transformers", "accelerate")


def names_of(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(PROJECT)) for path in paths]


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions_of(path: Path) -> list[tuple[str, int]]:
    """Name and number of lines of each function, docstring not counted."""
    nodes = [n for n in ast.walk(parse(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [(f"{path.name}:{node.name}", lines_of(node)) for node in nodes]


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (node.end_lineno or 0) - node.lineno + 1
    docstring = node.body[0] if ast.get_docstring(node) is not None else None
    return lines - ((docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0)


def modules_after(statement: str) -> set[str]:
    """Top-level names in ``sys.modules`` of a fresh interpreter after ``statement``."""
    code = f"{statement}\nimport sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def import_all(package: str) -> str:
    return (
        f"import importlib, pkgutil, {package} as package\n"
        f"for module in pkgutil.walk_packages(package.__path__, '{package}.'):\n"
        "    importlib.import_module(module.name)"
    )


def test_imports_go_down_the_layers_only():
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command, "--no-cache"], cwd=PROJECT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("package", ["core", "store", "engine"])
def test_importing_a_layer_below_the_studio_brings_no_qt_and_no_torch(package):
    loaded = modules_after(import_all(f"desktop_app.{package}"))
    assert "desktop_app" in loaded
    assert not loaded & {"PySide6", "shiboken6", *HEAVY}


def test_importing_the_whole_window_brings_no_torch():
    loaded = modules_after(import_all("desktop_app.ui") + "\nimport desktop_app.app")
    assert "PySide6" in loaded
    assert not loaded & set(HEAVY)


def test_the_command_line_starts_without_qt_and_without_torch():
    assert not modules_after("import desktop_app.__main__") & {"PySide6", *HEAVY}


def test_no_file_is_longer_than_its_budget():
    long = [path for path in SOURCES if len(path.read_text(encoding="utf-8").splitlines()) > FILE_LINES]
    assert not names_of(long)


def test_no_function_is_longer_than_its_budget():
    functions = [function for path in SOURCES for function in functions_of(path)]
    assert len(functions) > 300
    assert not [name for name, lines in functions if lines > FUNCTION_LINES]


def test_the_median_function_of_the_program_is_short():
    lengths = sorted(lines for path in PACKAGE.rglob("*.py") for _, lines in functions_of(path))
    assert lengths[len(lengths) // 2] <= MEDIAN_FUNCTION_LINES


def test_every_module_of_the_program_says_what_lives_there():
    assert not names_of([path for path in PACKAGE.rglob("*.py") if not ast.get_docstring(parse(path))])


def tracked_texts() -> list[Path]:
    """Files under version control, or about to be, that are text."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    suffixes = {".py", ".md", ".toml", ".txt", ".json", ".svg", ".desktop", ".xml", ""}
    paths = [PROJECT / line for line in done.stdout.splitlines()]
    return [path for path in paths if path.suffix in suffixes and path.is_file()]


def test_no_file_names_a_folder_of_the_machine_it_was_written_on():
    # Put together here, so that this file does not name one either.
    folders = re.compile("|".join(f"/{name}/" for name in ("work", "root", "home/[a-z]+", "Users/[A-Za-z]+")))
    found = [p for p in tracked_texts() if folders.search(p.read_text(encoding="utf-8", errors="replace"))]
    assert not names_of(found)


def test_every_todo_names_its_issue():
    mark = re.compile(r"\b(TODO|FIXME|XXX)\b(?! ?\(#\d+\))")
    this = Path(__file__)
    found = [path for path in SOURCES if path != this and mark.search(path.read_text(encoding="utf-8"))]
    assert not names_of(found)


def test_the_folder_packaging_does_not_hide_the_library_of_that_name():
    assert not (PROJECT / "packaging" / "__init__.py").exists()


def test_the_wheel_carries_the_resources_and_they_are_data_only():
    wheel = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {"resources": "desktop_app/_resources"}
    assert not names_of(list((PROJECT / "resources").rglob("*.py")))


@pytest.mark.parametrize("folder", ["starter", "recipes", "samples", "icons"])
def test_every_folder_of_resources_holds_something(folder):
    assert [path for path in (PROJECT / "resources" / folder).rglob("*") if path.is_file()]


@pytest.mark.parametrize("package", ["core", "store", "engine", "studio", "ui"])
def test_the_tests_mirror_the_package(package):
    assert list((PROJECT / "tests" / package).glob("test_*.py"))
