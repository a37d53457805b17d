"""A picture that was made in the window with all that there is, made again from the command line by its file alone."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from PySide6.QtWidgets import QPushButton
from support import make_picture
from tiny import write_stable_diffusion
from tiny_adapters import write_ip_adapter, write_lora, write_textual_inversion
from tiny_control import write_control_net
from tiny_upscalers import write_latent_upscaler

from desktop_app.__main__ import main
from desktop_app.core.chain import Card
from desktop_app.core.conditions import ColourMatch, Control, ControlMode
from desktop_app.core.kinds import StageKind

LOADING_S = 60_000
STYLE = '[mine]\nlabel = "Oil"\nprompt = "oil {x|y}, {prompt}, rough"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Checkpoints, adapters and pictures."""
    from diffusers import StableDiffusionPipeline

    from desktop_app.engine.pipelines import quieten_libraries

    quieten_libraries()
    made = tmp_path_factory.mktemp("everything")
    for seed, name in enumerate(("first", "other")):
        write_stable_diffusion(made / name, safety_checker=False, seed=seed)
    write_control_net(made / "net", made / "first")
    write_latent_upscaler(made / "double")
    pipeline = StableDiffusionPipeline.from_pretrained(made / "first")
    write_lora(pipeline, made / "ink.safetensors")
    write_textual_inversion(made / "word.safetensors")
    write_ip_adapter(pipeline.unet, made / "look.safetensors")
    make_picture((64, 64), seed=3).save(made / "init.png")
    make_picture((41, 55), seed=5).save(made / "own.png")
    mask = Image.new("L", (64, 64))
    mask.paste(255, (16, 16, 48, 48))
    mask.save(made / "mask.png")
    return made


@pytest.fixture
def window(qtbot, open_window, data_dir, folder, drop):
    """With a picture, a mask and adapters of all kinds."""
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / "styles.toml").write_text(STYLE)
    made = open_window()
    document = made.document
    document.choose_checkpoint(str(folder / "first"))
    with qtbot.waitSignal(document.init_image_changed):
        document.open_image(folder / "init.png")
    document.open_mask(folder / "mask.png")
    drop(made, *(folder / f"{name}.safetensors" for name in ("ink", "word", "look")))
    qtbot.waitUntil(lambda: len(document.params.adapters) == 3 and not document.mask.is_empty)
    row = [adapter.ref for adapter in document.params.adapters].index("look.safetensors")
    made.parts.adapters.open_picture(row, folder / "own.png")
    qtbot.waitUntil(lambda: any(adapter.image for adapter in document.params.adapters))
    return made


@pytest.mark.timeout(300)
def test_the_command_line_makes_the_picture_of_the_window_again_also_when_adapters_were_renamed(
    qtbot, window, data_dir, folder, tmp_path, capsys
):
    window.document.set_params(
        "All",
        **{"prompt": "a {red|blue} <sks> cat (fluffy:1.3)", "style": "mine", "steps": 4, "seed": 7, "mask_feather": 3},
        colour_match=ColourMatch.LAB,
        controls=(Control(ControlMode.CANNY, str(folder / "net"), weight=0.7),),
        chain=(
            Card(prompt="{prompt}, {gold|silver}", steps=4),
            Card(checkpoint=str(folder / "other"), steps=4),
            Card(StageKind.LATENT_UPSCALE, str(folder / "double"), steps=2),
        ),
    )
    with qtbot.waitSignal(window.jobs.finished, timeout=LOADING_S) as finished:
        window.findChild(QPushButton, "generateButton").click()
    variation = finished.args[1]
    window.close_now()
    (data_dir / "styles.toml").unlink()
    adapters = data_dir / "adapters"
    for name in ("ink", "word"):
        (adapters / f"{name}.safetensors").rename(adapters / f"other {name}.safetensors")
    out = tmp_path / "again.png"
    given = ["--data-dir", data_dir, "generate", "--from", variation.path, "-o", out, "--json"]
    assert main([str(each) for each in given]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["pixels_sha256"] == variation.pixels_sha256
    assert len(again["request"]["stages"]) == 4
