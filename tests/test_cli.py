"""The command line, as a program of its own and with the real starter checkpoint."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy
import pytest
from PIL import Image
from support import PROJECT, STARTER, make_picture, make_request, make_result

from desktop_app import __version__
from desktop_app.__main__ import check_screen, main
from desktop_app.cli import generate as generate_module
from desktop_app.core.errors import StoreError, StudioError
from desktop_app.core.image import load_image, read_texts
from desktop_app.core.params import Params
from desktop_app.core.request import hash_pixels
from desktop_app.engine.fake import FakeEngine
from desktop_app.store.gallery import GalleryStore
from desktop_app.store.paths import user_paths

SAMPLE = PROJECT / "resources" / "samples" / "drawing.png"
PROMPT = "lemon, glossy icon, purple background"


def run(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "desktop_app", *map(str, arguments)]
    variables = {**os.environ, "OMP_NUM_THREADS": "1", **options.pop("variables", {})}
    return subprocess.run(command, cwd=PROJECT, env=variables, capture_output=True, text=True, timeout=110, **options)


def generate(*arguments: object) -> dict:
    """One result of ``generate`` on the sample, run in this process, as its JSON says."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert main(["generate", str(SAMPLE), "--json", *map(str, arguments)]) == 0
    return json.loads(said.getvalue())


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """A picture of the sample at strength 0.6 with seed 7."""
    out = tmp_path_factory.mktemp("cli") / "out.png"
    return generate("--prompt", PROMPT, "--strength", 0.6, "--seed", 7, "-o", out)


@pytest.mark.timeout(300)
def test_the_same_command_gives_the_same_pixels(first, tmp_path):
    arguments = ("--prompt", PROMPT, "--strength", 0.6, "--seed", 7, "--json", "-o", tmp_path / "again.png")
    done = run("generate", SAMPLE, *arguments)
    assert json.loads(done.stdout)["pixels_sha256"] == first["pixels_sha256"], done.stderr
    assert hash_pixels(load_image(tmp_path / "again.png")) == first["pixels_sha256"]


def test_the_result_says_what_was_run(first):
    assert first["steps_run"] == [12]
    assert (first["width"], first["height"], first["seed"]) == (512, 512, 7)
    assert first["request"]["stages"][0]["strength"] == 0.6


def test_the_picture_carries_its_request_and_generation_text(first):
    texts = read_texts(Path(first["path"]))
    assert texts["parameters"].startswith(PROMPT)
    assert "Denoising strength: 0.6" in texts["parameters"]
    assert json.loads(texts["underpaint"])["seed"] == 7


@pytest.mark.timeout(300)
def test_strength_moves_the_picture_away_from_the_init_image(first, tmp_path):
    start = numpy.asarray(Image.open(SAMPLE).convert("RGB"), dtype=float)
    distances = []
    for strength in (0.2, 0.4, 0.6, 0.8, 1.0):
        out = tmp_path / f"{strength}.png"
        facts = generate("--prompt", PROMPT, "--strength", strength, "--seed", 7, "-o", out)
        assert facts["steps_run"] == [int(20 * strength)]
        distances.append(((numpy.asarray(load_image(out).convert("RGB"), dtype=float) - start) ** 2).mean())
    assert distances == sorted(distances)


@pytest.mark.timeout(300)
def test_from_repeats_the_request_in_a_picture_and_flags_change_it(first, tmp_path):
    source = Path(first["path"])
    same = generate("--from", source, "-o", tmp_path / "same.png")
    assert same["pixels_sha256"] == first["pixels_sha256"]
    facts = generate("--from", source, "--seed", 8, "-o", tmp_path / "other.png")
    assert (facts["seed"], facts["request"]["stages"][0]["prompt"]) == (8, PROMPT)
    assert facts["pixels_sha256"] != first["pixels_sha256"]


def test_several_pictures_get_numbers_and_never_replace_unasked(tmp_path, capsys):
    out = tmp_path / "out.png"
    arguments = [
        *("generate", "--prompt", "lemon", "--steps", "2", "--count", "2", "--size", "64x64", "--seed", "3"),
        *("-o", str(out)),
    ]
    assert main(arguments) == 0
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["out-1.png", "out-2.png"]
    assert main(arguments) == 1
    assert "exists" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{missing}", "--prompt", "x"], "does not exist"),
        (["{text}", "--prompt", "x"], "a text"),
        (["{image}", "--prompt", "x", "--strength", "0.01"], "No step would run"),
        (["{image}", "--prompt", "x", "--strength", "1.5"], "out of range"),
        (["{image}", "--prompt", "x", "--seed", "-1"], "out of range"),
        (["{image}", "--prompt", "x", "--seed", str(2**63)], "Seed is out of range"),
        (["{image}", "--prompt", "x", "--seed", str(2**63 - 1), "--count", "2"], "seeds run out of range"),
        (["{image}", "--prompt", "x", "--count", "0"], "out of range"),
        (["{image}", "--prompt", "x", "--size", "60x64"], "multiple"),
        (["{image}", "--prompt", "x", "--size", "9000x64"], "out of range"),
        (["{image}", "--prompt", "x", "--checkpoint", "no/such"], "not on this machine"),
        (["{image}", "--prompt", "x", "--checkpoint", "/no/such"], "cannot be found"),
        (["{image}", "--prompt", "x" * 10_001], "too long"),
        (["http://example.org/a.png", "--prompt", "x"], "http"),
        (["{image}", "--from", "{image}"], "no request"),
    ],
)
def test_bad_input_is_one_line_a_hint_and_status_one(arguments, words, tmp_path, capsys):
    make_picture((48, 48)).save(tmp_path / "image.png")
    (tmp_path / "text.png").write_text("Dear Sir")
    names = {name: tmp_path / f"{name}.png" for name in ("image", "text", "missing")}
    given = [argument.format(**names) for argument in arguments]
    assert main(["--data-dir", str(tmp_path), "generate", *given, "-o", str(tmp_path / "out.png")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) <= 2
    assert lines[0].startswith("underpaint: ")
    assert words in lines[0]
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    "arguments",
    [["generate"], ["generate", "-o", "x.jpg", "--prompt", "x"], ["generate", "--steps", "many", "-o", "x.png"]],
)
def test_wrong_usage_has_status_two(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_a_folder_that_is_not_there_is_told_before_anything_runs(tmp_path, capsys):
    assert main(["generate", "--prompt", "x", "-o", str(tmp_path / "no" / "out.png")]) == 1
    assert "does not exist" in capsys.readouterr().err


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Runs ``generate`` in this process on an engine without torch; ``tmp_path / "init.png"`` is a picture."""
    monkeypatch.setattr("desktop_app.cli.generate._make_engine", lambda *_: FakeEngine())
    make_picture((48, 48)).save(tmp_path / "init.png")

    def run(*arguments: object) -> int:
        return main(["--data-dir", str(tmp_path / "data"), "generate", *map(str, arguments)])

    return run


def test_a_place_that_cannot_take_the_picture_is_told_before_anything_runs(quick, tmp_path, monkeypatch, capsys):
    (tmp_path / "folder.png").mkdir()
    assert quick("--prompt", "x", "-o", tmp_path / "folder.png") == 1
    monkeypatch.setattr("os.access", lambda *_: False)
    assert quick("--prompt", "x", "-o", tmp_path / "out.png") == 1
    errors = capsys.readouterr().err
    assert "This is a folder" in errors
    assert "cannot be written" in errors


def test_a_result_never_takes_the_place_of_its_init_image_unasked(quick, tmp_path, capsys):
    init = tmp_path / "init.png"
    before = init.read_bytes()
    assert quick(init, "--prompt", "x", "-o", init) == 1
    assert "take the place" in capsys.readouterr().err
    assert init.read_bytes() == before
    assert quick(init, "--prompt", "x", "-o", init, "--overwrite") == 0
    assert quick("--from", init, tmp_path / "init.png", "-o", init) == 1


def test_a_picture_that_its_place_refuses_is_kept_elsewhere(quick, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    refuse = StoreError("The disk is full", "", "Free some space.")
    write = generate_module.write_atomic

    def write_only_elsewhere(path, content, **options):
        if path.parent == tmp_path / "full":
            raise refuse
        write(path, content, **options)

    monkeypatch.setattr(generate_module, "write_atomic", write_only_elsewhere)
    (tmp_path / "full").mkdir()
    assert quick("--prompt", "x", "-o", tmp_path / "full" / "out.png") == 1
    [kept] = tmp_path.glob("underpaint-kept-*/out.png")
    assert str(kept) in capsys.readouterr().err
    assert load_image(kept).size == (64, 64)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such rights there")
def test_a_result_can_be_read_by_whom_the_user_lets_read_new_files(quick, tmp_path):
    before = os.umask(0o027)
    try:
        assert quick("--prompt", "x", "-o", tmp_path / "out.png") == 0
    finally:
        os.umask(before)
    assert (tmp_path / "out.png").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode there")
def test_a_file_name_that_is_not_unicode_is_taken_and_told(quick, tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    (tmp_path / "init.png").rename(tmp_path / name)
    assert quick(tmp_path / name, "--prompt", "x", "-o", tmp_path / f"out-{name}") == 0
    found = json.loads(read_texts(tmp_path / f"out-{name}")["underpaint"])
    assert found["init_image"]["name"] == name


def test_a_terminal_that_lacks_letters_loses_no_picture(tmp_path):
    make_picture((48, 48)).save(tmp_path / "init.png")
    variables = {"PYTHONIOENCODING": "ascii"}
    out = tmp_path / "out.png"
    done = run(
        "generate", tmp_path / "init.png", "--prompt", "قطة", "--steps", 2, "--json", "-o", out, variables=variables
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["request"]["stages"][0]["prompt"] == "قطة"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell of Unix")
@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_error(tmp_path, closed):
    make_picture((48, 48)).save(tmp_path / "init.png")
    out = tmp_path / "out.png"
    line = f"'{sys.executable}' -m desktop_app generate '{tmp_path}/init.png' --prompt x --steps 2 -o '{out}' {closed}"
    assert subprocess.run(line, shell=True, cwd=PROJECT, timeout=100).returncode == 0
    assert load_image(out).size == (48, 48)


def test_a_reader_that_has_had_enough_is_no_error():
    command = [sys.executable, "-m", "desktop_app", "doctor"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_request_names_its_checkpoint_so_that_it_can_be_repeated_from_anywhere(quick, tmp_path, monkeypatch, capsys):
    shutil.copytree(STARTER, tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    assert quick("--prompt", "x", "--checkpoint", "mine", "--json", "-o", "out.png") == 0
    found = json.loads(capsys.readouterr().out)["request"]["stages"][0]["checkpoint"]
    assert found == str(tmp_path / "mine")


def test_from_with_its_own_init_image_keeps_the_size(quick, tmp_path, capsys):
    init, first = tmp_path / "init.png", tmp_path / "first.png"
    assert quick(init, "--prompt", "x", "--size", "64x96", "--no-own-size", "-o", first) == 0
    assert quick(init, "--from", first, "-o", tmp_path / "second.png") == 0
    assert load_image(tmp_path / "second.png").size == (64, 96)


def test_from_a_picture_of_the_gallery_finds_its_init_image_there(quick, tmp_path, capsys):
    gallery = GalleryStore(user_paths(tmp_path / "data"))
    gallery.open()
    with closing(gallery):
        request = make_request(gallery.keep_init_image(make_picture((48, 48)), "cat.png"))
        variation = gallery.save(request, make_result(request))
    assert quick("--from", variation.path, "--json", "-o", tmp_path / "again.png") == 0
    again = json.loads(capsys.readouterr().out)["request"]
    assert again == request.to_json()


def test_from_a_picture_whose_init_image_is_nowhere_is_told(quick, tmp_path, capsys):
    assert quick(tmp_path / "init.png", "--prompt", "x", "-o", tmp_path / "first.png") == 0
    assert quick("--from", tmp_path / "first.png", "-o", tmp_path / "again.png") == 1
    assert "init.png" in capsys.readouterr().err


def test_from_a_picture_without_init_image_leaves_the_given_one_visible(quick, tmp_path, capsys):
    assert quick("--prompt", "x", "-o", tmp_path / "first.png") == 0
    assert quick(tmp_path / "init.png", "--from", tmp_path / "first.png", "--json", "-o", tmp_path / "o.png") == 0
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert facts["request"]["stages"][0]["strength"] == Params().strength


def test_decoders_say_nothing_of_a_damaged_picture(tmp_path):
    make_picture((48, 48)).save(tmp_path / "cut.tif", compression="tiff_deflate")
    content = (tmp_path / "cut.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(content[:100] + b"\xff" * 300 + content[400:])
    done = run("generate", tmp_path / "cut.tif", "--prompt", "x", "-o", tmp_path / "out.png")
    assert done.returncode == 1
    assert [line.startswith("underpaint: ") for line in done.stderr.splitlines()] == [True, False]


def test_libraries_say_nothing_on_the_command_line(tmp_path):
    folder = tmp_path / "lacking"
    shutil.copytree(STARTER, folder)
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps({"_class_name": "DDIMScheduler"}))  # for which diffusers has a long warning
    arguments = ("--prompt", "x", "--steps", 1, "--checkpoint", folder, "-o", tmp_path / "o.png")
    done = run("generate", *arguments)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_damaged_checkpoint_is_told(tmp_path, capsys):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model_index.json").write_text("{")
    assert main(["generate", "--prompt", "x", "--checkpoint", str(folder), "-o", str(tmp_path / "o.png")]) == 1
    assert "damaged" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals are different there")
def test_an_interrupt_stops_at_the_next_step_with_status_130(tmp_path):
    command = [sys.executable, "-c", INTERRUPT, str(tmp_path / "out.png")]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "painting"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert not (tmp_path / "out.png").exists()


INTERRUPT = """
import sys
from desktop_app.cli import console
from desktop_app.core.engine import Phase
told = []
def show(self, progress):
    if progress.phase is Phase.DENOISING and not told:
        told.append(print("painting", flush=True))
console.ProgressBar.__call__ = show
from desktop_app.__main__ import main
sys.exit(main(["generate", "--prompt", "lemon", "--steps", "1000", "-o", sys.argv[1]]))
"""


def test_doctor_tells_versions_devices_folders_and_checkpoints(data_dir):
    (data_dir / "checkpoints" / "broken").mkdir(parents=True)
    (data_dir / "checkpoints" / "broken" / "model_index.json").write_text("{")
    done = run("--data-dir", data_dir, "doctor")
    assert done.returncode == 0
    for words in (__version__, "torch", "engine runs on", "cpu", str(data_dir), "Starter", "ready", "WILL NOT RUN"):
        assert words in done.stdout


def test_doctor_tells_of_a_data_folder_that_cannot_be(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("desktop_app.cli.doctor._ask_engine", lambda paths: "not asked")
    (tmp_path / "file").write_text("no folder")
    assert main(["--data-dir", str(tmp_path / "file"), "doctor"]) == 0
    assert "CANNOT BE MADE" in capsys.readouterr().out


@pytest.mark.timeout(300)
def test_self_test_says_that_everything_works():
    done = run("self-test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything works." in done.stdout


def test_version_and_help_need_no_screen_and_no_torch():
    assert run("--version", variables={"DISPLAY": ""}).stdout.strip() == f"underpaint {__version__}"
    help_text = run("--help").stdout
    assert "generate" in help_text
    assert "doctor" in help_text


def test_without_a_screen_the_command_line_is_named():
    with pytest.raises(StudioError, match="no screen") as caught:
        check_screen({}, "linux")
    assert "generate" in caught.value.hint
    check_screen({"WAYLAND_DISPLAY": "wayland-0"}, "linux")
    check_screen({}, "darwin")


def test_a_data_folder_that_cannot_be_written_is_told(tmp_path):
    place = tmp_path / "file"
    place.write_text("not a folder")
    done = run("--data-dir", place / "data", variables={"QT_QPA_PLATFORM": "offscreen"})
    assert done.returncode == 1
    assert "underpaint: " in done.stderr
