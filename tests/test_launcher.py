"""The launcher under packaging/: what it does with its arguments, its environment and the system's libraries."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import PROJECT

from desktop_app.cli import COMMANDS
from desktop_app.core.errors import CheckpointError
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.command_line import VARIABLE, typed
from desktop_app.store.paths import user_paths

LAUNCHER = PROJECT / "packaging" / "underpaint.py"

BACKEND = """
import zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "tiny-1.0-py3-none-any.whl"
    files = {
        "tiny.py": "WORD = 'tiny'",
        "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n",
        "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = "".join(f"{path},,\\n" for path in files) + "tiny-1.0.dist-info/RECORD,,\\n"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        for path, text in {**files, "tiny-1.0.dist-info/RECORD": record}.items():
            wheel.writestr(path, text)
    return name
"""
"""Builds a package without fetching anything."""


@pytest.fixture(scope="module", autouse=True)
def _launcher_on_path():
    sys.path.insert(0, str(LAUNCHER.parent))
    yield
    sys.path.remove(str(LAUNCHER.parent))
    for name in ("underpaint", "environment", "accelerator", "system_libraries", "problem"):
        sys.modules.pop(name, None)


def part(name: str):
    return importlib.import_module(name)


# Arguments ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "venv", "rest"),
    [
        ([], ".venv", []),
        (["photo.png", "--venv", "there"], "there", ["photo.png"]),
        (["--data-dir", "d", "photo.png"], ".venv", ["--data-dir", "d", "photo.png"]),
        (["--", "--venv", "x"], ".venv", ["--venv", "x"]),
        (["--venv=there", "generate", "--venv", "x", "--", "y"], "there", ["generate", "--venv", "x", "--", "y"]),
        (["test", "-k", "name"], ".venv", ["test", "-k", "name"]),
    ],
)
def test_what_is_not_the_launchers_own_goes_to_the_program(arguments, venv, rest):
    options, passed_on = part("underpaint").parse(arguments)
    assert (options.venv.name, passed_on) == (venv, rest)


def test_the_launcher_knows_the_commands_of_the_program():
    assert set(part("underpaint").COMMANDS) == set(COMMANDS)


@pytest.mark.parametrize(("venv", "more"), [(PROJECT / ".venv", ""), (Path("my venv"), " --venv 'my venv'")])
@pytest.mark.skipif(os.name != "posix", reason="other systems quote and start in another way")
def test_the_program_s_hints_name_the_call_that_works_here(venv, more, monkeypatch, tmp_path):
    launcher = part("underpaint")
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setattr(sys, "argv", ["packaging/underpaint.py", "doctor"])
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    monkeypatch.setattr(launcher.environment, "provide", lambda *_: Path("python"))
    monkeypatch.setattr(launcher.os, "execv", lambda *_: None)
    monkeypatch.setattr(launcher.subprocess, "run", lambda command: subprocess.CompletedProcess(command, 0))
    launcher.start(venv, ["doctor"])
    assert typed("doctor") == f"python3 packaging/underpaint.py{more} doctor"
    with pytest.raises(CheckpointError) as caught:
        CheckpointStore(user_paths(tmp_path)).describe("org/nowhere")
    assert caught.value.hint.endswith(f": python3 packaging/underpaint.py{more} checkpoints download org/nowhere")


@pytest.mark.parametrize(
    ("arguments", "opens"), [([], True), (["photo.png"], True), (["--help"], False), (["generate", "x.png"], False)]
)
def test_only_the_window_needs_a_screen(arguments, opens):
    assert part("underpaint").opens_window(arguments) is opens


def test_without_a_screen_it_names_the_command_line_before_it_sets_anything_up(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    command = [sys.executable, LAUNCHER, "--venv", tmp_path / "venv"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "no screen" in done.stderr
    assert "packaging/underpaint.py generate" in done.stderr
    assert not (tmp_path / "venv").exists()


# Accelerators ------------------------------------------------------------------------------------

PAGE = "".join(
    f'<a href="/whl/{tag}/torch-2.13.0%2B{tag}-cp3{minor}-cp3{minor}-manylinux_2_28_{machine}.whl#sha256=0">x</a>\n'
    for tag in ("cpu", "cu130", "rocm6.4", "rocm7.2", "rocm7.10")
    for minor in (11, 12, 13, 14)
    for machine in ("x86_64", "aarch64")
)


@pytest.mark.parametrize(("kind", "tag"), [("cpu", "cpu"), ("rocm", "rocm7.10"), ("cuda", "cu130")])
def test_the_newest_build_for_the_accelerator_is_found(kind, tag, monkeypatch):
    accelerator = part("accelerator")
    monkeypatch.setattr(accelerator, "platform_tag", lambda: "x86_64")
    assert accelerator.find_build(PAGE, kind, "2.13.0") == tag


def test_without_a_build_of_that_version_there_is_no_index():
    assert part("accelerator").find_build(PAGE, "cpu", "2.14.0") == ""


@pytest.mark.parametrize(
    ("tool", "kind"), [("nvidia-smi", "cuda"), ("rocminfo", "rocm"), ("nothing-of-the-kind", "cpu")]
)
def test_the_accelerator_is_told_by_its_tool(tool, kind, tmp_path, monkeypatch):
    accelerator = part("accelerator")
    (tmp_path / tool).write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / tool).chmod(0o755)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert accelerator.detect() == kind


def test_a_tool_that_finds_no_device_does_not_count(tmp_path, monkeypatch):
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not part("accelerator").works("nvidia-smi", "-L")


def test_an_index_that_does_not_answer_is_done_without():
    assert part("accelerator").read_page("http://127.0.0.1:9/") == ""


def test_the_constraints_pin_what_upscalers_need():
    text = (PROJECT / "packaging" / "constraints.txt").read_text()
    assert all(f"\n{name}==" in text for name in (*part("environment").UPSCALERS, "torchvision"))


def test_the_constraints_pin_torch():
    text = (PROJECT / "packaging" / "constraints.txt").read_text()
    assert part("accelerator").pinned_torch(text).count(".") == 2


# System libraries --------------------------------------------------------------------------------

ABSENT = {"libnot-there.so.9": "libnot-there9"}


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries are looked for on Linux only")
def test_without_root_the_exact_line_is_printed(monkeypatch):
    libraries, problem = part("system_libraries"), part("problem")
    monkeypatch.setattr(libraries.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(libraries.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(libraries.Path, "exists", lambda path: True)
    with pytest.raises(problem.Problem, match="sudo apt-get install -y --no-install-recommends libnot-there9"):
        libraries.provide(ABSENT)


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries are looked for on Linux only")
def test_on_another_system_the_libraries_are_named(monkeypatch):
    libraries, problem = part("system_libraries"), part("problem")
    monkeypatch.setattr(libraries.shutil, "which", lambda name: None)
    with pytest.raises(problem.Problem, match=r"libnot-there\.so\.9"):
        libraries.provide(ABSENT)


def test_the_window_needs_all_that_qt_needs():
    libraries = part("system_libraries")
    assert libraries.QT.items() < libraries.WINDOW.items()


# The virtual environment -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A project that installs in a second and needs no network."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "backend.py").write_text(BACKEND)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "tiny"\nversion = "1.0"\n'
    )
    (folder / "packaging").mkdir()
    (folder / "packaging" / "constraints.txt").write_text("torch==1.0\n")
    return folder


@pytest.fixture
def _offline(monkeypatch):
    accelerator = part("accelerator")
    monkeypatch.setattr(accelerator, "detect", lambda: "cpu")
    monkeypatch.setattr(accelerator, "read_page", lambda url: "")


@pytest.fixture(scope="module")
def made(project, tmp_path_factory) -> Path:
    """An environment that `provide` has made and filled, as in a first start."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(part("accelerator"), "detect", lambda: "cpu")
        patch.setattr(part("accelerator"), "read_page", lambda url: "")
        part("environment").provide(folder, project)
    return folder


def packages_of(folder: Path) -> Path:
    return next(folder.glob("lib*/**/site-packages"))


def test_the_first_start_installs_the_program(made):
    python = part("environment").python_of(made)
    done = subprocess.run([python, "-c", "import tiny; print(tiny.WORD)"], capture_output=True, text=True, check=True)
    assert done.stdout == "tiny\n"


def test_the_second_start_calls_nothing_and_is_quick(made, project, monkeypatch):
    environment = part("environment")
    monkeypatch.setattr(environment.subprocess, "run", lambda *a, **k: pytest.fail(f"ran {a}"))
    begun = time.perf_counter()
    assert environment.provide(made, project) == environment.python_of(made)
    assert time.perf_counter() - begun < 0.3


@pytest.mark.usefixtures("_offline")
def test_other_constraints_are_installed_at_the_next_start(made, project, capfd):
    constraints = project / "packaging" / "constraints.txt"
    constraints.write_text("torch==1.1\n")
    part("environment").provide(made, project)
    assert "Installing Underpaint" in capfd.readouterr().out
    part("environment").provide(made, project)
    assert capfd.readouterr().out == ""


@pytest.mark.usefixtures("_offline")
def test_upscalers_are_installed_by_themselves_and_may_fail(made, project, monkeypatch, capfd):
    environment = part("environment")
    constraints = project / "packaging" / "constraints.txt"
    constraints.write_text("einops==1.0\nnumpy==2.0\nspandrel==1.0\ntorch==1.1\n")
    calls = []
    monkeypatch.setattr(environment, "pip", lambda python, *rest: calls.append(rest) or "spandrel==1.0" not in rest)
    environment.fill(environment.python_of(made), project, "")
    assert calls[-1] == ("--no-deps", "einops==1.0", "spandrel==1.0")
    assert "cannot be used" in capfd.readouterr().out
    constraints.write_text("torch==1.1\n")


@pytest.mark.usefixtures("_offline")
def test_an_interrupted_installation_is_taken_up_again(made, project, capfd):
    (made / "underpaint.stamp").unlink()
    (packages_of(made) / "tiny.py").unlink()
    part("environment").provide(made, project)
    assert (packages_of(made) / "tiny.py").read_text() == "WORD = 'tiny'"
    assert "Making a virtual environment" not in capfd.readouterr().out


def test_a_package_that_was_cut_off_is_forgotten_so_that_it_is_installed_again(made, tmp_path):
    environment = part("environment")
    copy = tmp_path / "venv" / packages_of(made).relative_to(made)
    record = copy / "cut-1.0.dist-info"
    record.mkdir(parents=True)
    (copy / "cut.py").write_text("whole = ")
    (record / "METADATA").write_text("Name: cut\nVersion: 1.0\n")
    (record / "RECORD").write_text("cut.py,sha256=x,12\n")
    environment.mend(tmp_path / "venv")
    assert not record.exists()


@pytest.mark.usefixtures("_offline")
def test_an_environment_without_pip_is_made_anew(made, project, tmp_path, monkeypatch):
    environment = part("environment")
    half = tmp_path / "venv"
    (half / "bin").mkdir(parents=True)
    (half / "pyvenv.cfg").write_text("home = nowhere\n")
    filled: list[Path] = []
    monkeypatch.setattr(environment, "fill", lambda python, *rest: filled.append(python))
    environment.provide(half, project)
    assert environment.is_sound(half)
    assert filled == [environment.python_of(half)]


def test_a_folder_that_is_no_environment_is_left_alone(project, tmp_path):
    (tmp_path / "letter.txt").write_text("dear all")
    with pytest.raises(part("problem").Problem, match="--venv"):
        part("environment").provide(tmp_path, project)
    assert (tmp_path / "letter.txt").read_text() == "dear all"


def test_too_little_space_is_told_before_the_download(tmp_path, monkeypatch):
    environment = part("environment")
    monkeypatch.setitem(environment.SPACE, "cpu", 1e18)
    with pytest.raises(part("problem").Problem, match="Too little space"):
        environment.check_space(tmp_path, "cpu")
