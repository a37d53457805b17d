"""What ``generate`` is told beside the request: the network, memory, attention, recipes of the user's own."""

from __future__ import annotations

import base64
import json

import pytest
from support import make_picture

from desktop_app.__main__ import main
from desktop_app.core.engine import EngineOptions
from desktop_app.core.memory import MemoryPlan
from desktop_app.core.params import Params
from desktop_app.core.recipe import make_recipe
from desktop_app.engine.fake import FakeEngine
from desktop_app.store.paths import user_paths
from desktop_app.store.recipes import RecipeStore

URL = "https://example.org/cat.png"


@pytest.fixture
def generate(data_dir, tmp_path, monkeypatch, capsys):
    """Runs ``generate`` in this process: its JSON, or what it says on stderr. ``engine`` is one without torch."""

    def run(*arguments: object, engine: object = None):
        with monkeypatch.context() as patch:
            if engine is not None:
                patch.setattr("desktop_app.cli.generate._make_engine", lambda *_: engine)
            given = ["generate", *arguments, "--json", "-o", tmp_path / "out.png", "--overwrite"]
            failed = main(["--data-dir", str(data_dir), *map(str, given)])
        said = capsys.readouterr()
        return said.err if failed else json.loads(said.out)

    return run


# The network -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("flags", "variable"), [(["--offline"], ""), ([], "1")])
def test_without_a_network_no_picture_is_fetched(generate, monkeypatch, flags, variable):
    monkeypatch.setenv("UNDERPAINT_OFFLINE", variable)
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("A name was looked up"))
    said, hint = generate(URL, "--prompt", "x", *flags, engine=FakeEngine()).splitlines()
    assert said == f"underpaint: The network is switched off: {URL}"
    assert "--offline" in hint


def test_an_address_that_holds_the_picture_itself_needs_no_network(generate, tmp_path):
    make_picture((48, 32)).save(tmp_path / "cat.png")
    content = base64.b64encode((tmp_path / "cat.png").read_bytes()).decode()
    facts = generate(f"data:image/png;base64,{content}", "--prompt", "x", "--offline", engine=FakeEngine())
    assert (facts["request"]["init_image"]["width"], facts["request"]["init_image"]["height"]) == (48, 32)


# Memory and attention ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ([], EngineOptions()),
        (["--memory", "auto", "--attention", "auto"], EngineOptions()),
        (["--memory", "resident"], EngineOptions(MemoryPlan.RESIDENT)),
        (["--memory", "model-offload"], EngineOptions(MemoryPlan.MODEL_OFFLOAD)),
        (["--memory", "group-offload", "--attention", "sdpa"], EngineOptions(MemoryPlan.GROUP_OFFLOAD, "sdpa")),
        (["--memory", "sequential", "--attention", "xformers"], EngineOptions(MemoryPlan.SEQUENTIAL, "xformers")),
    ],
)
def test_memory_and_attention_are_what_the_engine_is_told(generate, arguments, options):
    engine = FakeEngine()
    generate("--prompt", "x", *arguments, engine=engine)
    assert engine.options == options


@pytest.mark.parametrize("arguments", [["--memory", "plenty"], ["--attention", "none"], ["--attention", ""]])
def test_what_is_no_plan_and_no_way_of_attention_is_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["generate", "--prompt", "x", "-o", "o.png", *arguments])
    assert ended.value.code == 2
    assert "choose from" in capsys.readouterr().err


def test_a_plan_changes_no_pixel_and_what_cannot_be_used_is_told(generate, data_dir):
    arguments = ("--prompt", "lemon", "--steps", 2, "--seed", 1)
    usual = generate(*arguments, "--memory", "resident")
    paged = generate(*arguments, "--memory", "group-offload", "--attention", "sage")
    assert paged["pixels_sha256"] == usual["pixels_sha256"]
    assert usual["notes"] == []
    assert any("SageAttention is not installed" in note for note in paged["notes"])
    assert not list((data_dir / "session").glob("offload/*"))


def test_a_result_in_words_has_all_notes_in_one_line(data_dir, tmp_path, capsys):
    out = tmp_path / "out.png"
    given = ["--prompt", "x", "--steps", "1", "--size", "64x64", "--seed", "3", "--attention", "flash", "-o", str(out)]
    assert main(["--data-dir", str(data_dir), "generate", *given]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{out}: seed 3, 1 of 1 steps, 64 × 64, ")
    assert said.endswith(" s, FlashAttention is not installed; PyTorch's own attention was used\n")


# Recipes -----------------------------------------------------------------------------------------


def test_a_recipe_of_the_user_s_own_is_known_by_its_name(generate, data_dir, tmp_path):
    store = RecipeStore(user_paths(data_dir).recipes, tmp_path / "none")
    store.save(make_recipe("My lemons", Params(steps=7, guidance_scale=2.5)))
    facts = generate("--prompt", "x", "--recipe", "my-lemons", "--guidance", 3, engine=FakeEngine())
    [stage] = facts["request"]["stages"]
    assert (stage["steps"], stage["guidance_scale"], facts["request"]["recipe"]) == (7, 3.0, "my-lemons")


def test_a_recipe_that_is_not_known_is_told_with_those_that_are(generate):
    said, hint = generate("--prompt", "x", "--recipe", "none", engine=FakeEngine()).splitlines()
    assert said == "underpaint: There is no such recipe: none"
    assert "sdxl-refiner" in hint


# Prompts -----------------------------------------------------------------------------------------


def test_what_in_a_prompt_means_nothing_is_told(data_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("desktop_app.cli.generate._make_engine", lambda *_: FakeEngine())
    given = ["--prompt", "a (cat <lora:ink:1>", "--negative", "{fog", "-o", str(tmp_path / "out.png")]
    assert main(["--data-dir", str(data_dir), "generate", *given]) == 0
    told = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in told] == ["'('", "'<lora:ink:1>'", "'{'"]
    assert "added under Adapters" in told[1]
