"""Whole runs with control images: from the request to the picture that a plain script of diffusers makes."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
from engine_runs import NEVER, Recorder
from PIL import Image
from support import make_picture, make_ref
from tiny_control import write_annotator, write_control_net, write_depth_decoder
from tiny_kandinsky import write_prior

from desktop_app.core.conditions import Control, ControlMode
from desktop_app.core.engine import Phase
from desktop_app.core.errors import CheckpointError
from desktop_app.core.request import Request, Stage, StageKind
from desktop_app.engine.annotators import derive

SIZE = (128, 64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Path:
    """``edges`` and ``depth``, ControlNets for the tiny checkpoint; ``eye``, an annotator for depth; ``prior`` and
    ``kandinsky``.
    """
    root = tmp_path_factory.mktemp("control-runs")
    write_control_net(root / "edges", tiny_checkpoint, seed=1)
    write_control_net(root / "depth", tiny_checkpoint, seed=2)
    write_annotator(root / "eye", "dpt")
    write_prior(root / "prior")
    write_depth_decoder(root / "kandinsky", str(root / "prior"))
    return root


def controls_of(folder: Path) -> tuple[Control, ...]:
    edges = Control(ControlMode.CANNY, str(folder / "edges"), weight=0.7, low=40, high=90)
    depth = Control(ControlMode.DEPTH, str(folder / "depth"), annotator=str(folder / "eye"), start=0.25)
    return edges, depth


def pictures_of(controls: tuple[Control, ...], picture: Image.Image) -> list[Image.Image]:
    return [derive(control, picture, Path, lambda done, total: None)[0] for control in controls]


def test_a_picture_with_two_control_nets_is_that_of_a_plain_script(own_engine, folder, tiny_checkpoint, tmp_path):
    import torch
    from diffusers import ControlNetModel, StableDiffusionControlNetImg2ImgPipeline

    init, controls, recorder = make_picture(SIZE), controls_of(folder), Recorder()
    stage = Stage(StageKind.IMAGE_TO_IMAGE, str(tiny_checkpoint), "a cat", "", 0.6, 5, 4.0, controls=controls)
    request = Request((stage,), 7, *SIZE, make_ref(tmp_path / "init.png", init))
    made = own_engine.run(request, recorder, NEVER)
    nets = [ControlNetModel.from_pretrained(folder / name) for name in ("edges", "depth")]
    script = StableDiffusionControlNetImg2ImgPipeline.from_pretrained(
        tiny_checkpoint, controlnet=nets, safety_checker=None, requires_safety_checker=False
    )
    script.set_progress_bar_config(disable=True)
    expected = script(
        "a cat",
        image=init,
        control_image=pictures_of(controls, init),
        controlnet_conditioning_scale=[0.7, 1.0],
        control_guidance_start=[0.0, 0.25],
        strength=0.6,
        num_inference_steps=5,
        guidance_scale=4.0,
        generator=torch.Generator().manual_seed(7),
    ).images[0]
    assert made.image.tobytes() == expected.tobytes()
    assert Phase.DERIVING in recorder.phases


def test_a_control_image_may_come_from_a_picture_of_its_own_where_there_is_no_init_image(
    own_engine, folder, tiny_checkpoint, tmp_path
):
    import torch
    from diffusers import ControlNetModel, StableDiffusionControlNetPipeline

    own = make_picture(SIZE, seed=4)
    control = Control(ControlMode.TILE, str(folder / "edges"), image=make_ref(tmp_path / "own.png", own), derive=False)
    stage = Stage(StageKind.TEXT_TO_IMAGE, str(tiny_checkpoint), "a cat", "", 1.0, 4, 4.0, controls=(control,))
    made = own_engine.run(Request((stage,), 7, *SIZE), Recorder(), NEVER)
    script = StableDiffusionControlNetPipeline.from_pretrained(
        tiny_checkpoint,
        controlnet=ControlNetModel.from_pretrained(folder / "edges"),
        safety_checker=None,
        requires_safety_checker=False,
    )
    script.set_progress_bar_config(disable=True)
    values = {"width": SIZE[0], "height": SIZE[1], "num_inference_steps": 4, "guidance_scale": 4.0}
    expected = script("a cat", image=own, **values, generator=torch.Generator().manual_seed(7)).images[0]
    assert made.image.tobytes() == expected.tobytes()


@pytest.mark.parametrize("kind", [StageKind.IMAGE_TO_IMAGE, StageKind.TEXT_TO_IMAGE])
def test_kandinsky_follows_a_map_of_depth_as_a_plain_script_does(own_engine, folder, tmp_path, kind):
    import diffusers
    import torch

    init = make_picture(SIZE)
    ref, has_init = make_ref(tmp_path / "init.png", init), kind is StageKind.IMAGE_TO_IMAGE
    control = Control(ControlMode.DEPTH, annotator=str(folder / "eye"), image=None if has_init else ref)
    stage = Stage(
        kind,
        str(folder / "kandinsky"),
        "a cat",
        strength=0.5,
        steps=6,
        guidance_scale=4.0,
        prior=str(folder / "prior"),
        prior_steps=3,
        controls=(control,),
    )
    recorder = Recorder()
    made = own_engine.run(Request((stage,), 7, *SIZE, ref if has_init else None), recorder, NEVER)
    prior = diffusers.KandinskyV22PriorPipeline.from_pretrained(folder / "prior")
    own_class = (
        diffusers.KandinskyV22ControlnetImg2ImgPipeline if has_init else diffusers.KandinskyV22ControlnetPipeline
    )
    decoder = own_class.from_pretrained(folder / "kandinsky")
    for each in (prior, decoder):
        each.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(7)
    embeds = prior("a cat", num_inference_steps=3, guidance_scale=4.0, generator=generator)
    hint = torch.from_numpy(numpy.array(pictures_of((control,), init)[0])).permute(2, 0, 1)[None].float() / 255
    sides = {"width": SIZE[1], "height": SIZE[0], "image": init, "strength": 0.5} if has_init else {}
    expected = decoder(
        image_embeds=embeds.image_embeds,
        negative_image_embeds=embeds.negative_image_embeds,
        hint=hint,
        num_inference_steps=6,
        guidance_scale=4.0,
        generator=generator,
        **(sides or {"width": SIZE[0], "height": SIZE[1]}),
    ).images[0]
    assert made.image.tobytes() == expected.tobytes()
    assert recorder.steps == list(range(1, 4 if has_init else 7))


def test_a_control_net_that_does_not_fit_fails_the_run_with_the_reason(own_engine, folder, tiny_checkpoint, tmp_path):
    control = Control(ControlMode.CANNY, str(folder / "eye"))
    stage = Stage(StageKind.IMAGE_TO_IMAGE, str(tiny_checkpoint), "a cat", steps=2, controls=(control,))
    with pytest.raises(CheckpointError, match="no ControlNet"):
        own_engine.run(
            Request((stage,), 7, *SIZE, make_ref(tmp_path / "init.png", make_picture(SIZE))), Recorder(), NEVER
        )
