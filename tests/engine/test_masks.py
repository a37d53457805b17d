"""Inpainting: against the bare calls of diffusers, with checkpoints made for it and with ordinary ones; and what stays
byte for byte.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
from bare import bare
from engine_runs import NEVER, Recorder
from PIL import Image, ImageChops
from single_file import change_unet
from support import make_picture, make_ref
from tiny import write_stable_diffusion, write_stable_diffusion_xl
from tiny_kandinsky import write_decoder, write_prior

from desktop_app.core.chain import Card
from desktop_app.core.conditions import ColourMatch
from desktop_app.core.errors import ImageError, RequestError
from desktop_app.core.image import load_image
from desktop_app.core.kinds import StageKind
from desktop_app.core.masking import soften
from desktop_app.core.params import Fit, Params
from desktop_app.core.planning import build_request
from desktop_app.engine.diffusers_engine import DiffusersEngine
from desktop_app.engine.framing import Frames, Glimpse
from desktop_app.store.checkpoints import CheckpointStore

STEPS = 4
USUAL = {"prompt": "the cat", "negative_prompt": "dog", "num_inference_steps": STEPS, "guidance_scale": 4.0}


def for_inpainting(folder, class_name):
    change_unet(folder, in_channels=9)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": class_name}))
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("masks")
    nine = write_stable_diffusion(base / "nine", safety_checker=False)
    nine_xl = write_stable_diffusion_xl(base / "nine-xl")
    prior = write_prior(base / "prior")
    return {
        "plain": write_stable_diffusion(base / "plain", safety_checker=False),
        "nine": for_inpainting(nine, "StableDiffusionInpaintPipeline"),
        "xl": write_stable_diffusion_xl(base / "xl"),
        "nine-xl": for_inpainting(nine_xl, "StableDiffusionXLInpaintPipeline"),
        "prior": prior,
        "decoder": write_decoder(base / "decoder", str(prior)),
        "decoder-inpaint": named(write_decoder(base / "decoder-inpaint", str(prior), channels=9)),
    }


def named(folder):
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": "KandinskyV22InpaintPipeline"}))
    return folder


@pytest.fixture
def engine(paths):
    engine = DiffusersEngine(CheckpointStore(paths).resolve, threads=1)
    yield engine
    engine.close()


@pytest.fixture
def make(folders, paths, tmp_path):
    store = CheckpointStore(paths)

    def make(name="plain", size=(64, 64), mode="RGB", box=(16, 16, 48, 48), **changes):
        """The request, with its init image and its mask, a white box."""
        picture = make_picture(size, mode, 3)
        mask = Image.new("RGB", size)
        mask.paste((255, 255, 255), box)
        refs = [make_ref(tmp_path / f"{what}.png", each) for what, each in (("init", picture), ("mask", mask))]
        usual = {"guidance_scale": 4.0, "steps": STEPS, "mask_feather": 0, "strength": 1.0, "recipe": ""}
        params = Params("the cat", "dog", checkpoint=str(folders[name]), **{**usual, **changes})
        info = store.describe(params.checkpoint)
        return build_request(params, refs[0], info, 7, store.describe, refs[1])

    return make


def picture_of(engine, request):
    return engine.run(request, Recorder(), NEVER).image


def noise():
    import torch

    return torch.Generator("cpu").manual_seed(7)


def soft_mask(request):
    return soften(Image.open(request.mask.path).convert("L"), request.mask_feather)


def outside_is_the_same(request, result):
    original = load_image(request.init_image.path)
    assert result.size == original.size
    assert result.mode == original.mode
    marked = soft_mask(request).point([0] + [255] * 255)
    kept = original.copy()
    kept.paste(result, mask=marked)
    return kept.tobytes() == result.tobytes()


@pytest.mark.parametrize(
    ("name", "class_name"),
    [
        ("plain", "StableDiffusionInpaintPipeline"),
        ("nine", "StableDiffusionInpaintPipeline"),
        ("xl", "StableDiffusionXLInpaintPipeline"),
        ("nine-xl", "StableDiffusionXLInpaintPipeline"),
    ],
)
@pytest.mark.parametrize("strength", [0.75, 1.0])
def test_inside_the_mask_the_picture_is_what_diffusers_paints(engine, make, folders, name, class_name, strength):
    request = make(name, strength=strength, width=64, height=64)
    init, mask = Image.open(request.init_image.path).convert("RGB"), Image.open(request.mask.path).convert("L")
    pipeline = bare(class_name, folders[name])
    theirs = pipeline(
        image=init, mask_image=mask, width=64, height=64, strength=strength, generator=noise(), **USUAL
    ).images[0]
    result = picture_of(engine, request)
    assert request.stages[0].kind is StageKind.INPAINT
    assert result.crop((16, 16, 48, 48)).tobytes() == theirs.crop((16, 16, 48, 48)).tobytes()
    assert outside_is_the_same(request, result)


def test_kandinsky_paints_inside_the_mask_with_its_own_decoder(engine, make, folders):
    request = make("decoder-inpaint", width=64, height=64)
    generator = noise()
    prior = bare("KandinskyV22PriorPipeline", folders["prior"])
    embeds = prior("the cat", negative_prompt="dog", num_inference_steps=25, guidance_scale=4.0, generator=generator)
    pipeline = bare("KandinskyV22InpaintPipeline", folders["decoder-inpaint"])
    init, mask = Image.open(request.init_image.path).convert("RGB"), Image.open(request.mask.path).convert("L")
    theirs = pipeline(
        **embeds,
        image=init,
        mask_image=mask,
        width=64,
        height=64,
        num_inference_steps=STEPS,
        guidance_scale=4.0,
        generator=generator,
    ).images[0]
    result = picture_of(engine, request)
    assert result.crop((16, 16, 48, 48)).tobytes() == theirs.crop((16, 16, 48, 48)).tobytes()
    assert outside_is_the_same(request, result)


def test_a_checkpoint_that_cannot_paint_inside_a_mask_paints_all_and_only_the_part_is_used(engine, make):
    request = make("decoder", width=64, height=64, strength=0.75)
    whole = replace(request, mask=None, stages=(replace(request.stages[0], kind=StageKind.IMAGE_TO_IMAGE),))
    result, painted = picture_of(engine, request), picture_of(engine, whole)
    assert result.crop((16, 16, 48, 48)).tobytes() == painted.crop((16, 16, 48, 48)).tobytes()
    assert outside_is_the_same(request, result)


@pytest.mark.parametrize(
    "changes",
    [
        {"size": (150, 90), "box": (100, 20, 140, 70), "mask_feather": 6},
        {"size": (150, 90), "mode": "RGBA", "mask_feather": 3, "masked_only": True, "mask_padding": 8},
        {"size": (90, 200), "fit": Fit.PAD, "width": 64, "height": 64, "mask_feather": 2},
        {"size": (90, 200), "fit": Fit.CROP, "width": 64, "height": 64, "box": (10, 80, 60, 120)},
        {"size": (37, 41), "fit": Fit.SCALE, "width": 64, "height": 64, "box": (0, 0, 37, 20), "mask_feather": 5},
        {"size": (96, 64), "colour_match": ColourMatch.LAB, "mask_feather": 4},
    ],
)
def test_outside_the_soft_mask_every_byte_stays_whatever_the_size_and_the_fit(engine, make, changes):
    request = make(**changes)
    result = picture_of(engine, request)
    assert outside_is_the_same(request, result)
    inside = soft_mask(request).point([0] * 255 + [255])
    changed = ImageChops.difference(result.convert("RGB"), load_image(request.init_image.path).convert("RGB"))
    assert ImageChops.multiply(changed.convert("L"), inside).getbbox()


def test_the_masked_part_alone_is_seen_enlarged(make):
    request = make(size=(400, 300), box=(300, 40, 340, 80), masked_only=True, mask_padding=20, width=128, height=64)
    frames = Frames(request)
    view = frames.view(frames.begin())
    left, top, right, bottom = view.placement.box
    assert view.image.size == view.mask.size == (128, 64)
    assert (right - left, bottom - top) == (160, 80)
    assert left <= 280 < 360 <= right
    assert (top, bottom) == (20, 100)


@pytest.mark.parametrize("size", [(300, 100), (700, 60)])
@pytest.mark.parametrize("changes", [{"masked_only": True}, {"fit": Fit.PAD}, {"fit": Fit.CROP}, {"own_size": False}])
def test_a_preview_lies_where_the_picture_will_be_painted(make, size, changes):
    middle = size[0] // 2
    request = make(size=size, box=(middle - 20, 8, middle + 25, 40), mask_padding=8, width=64, height=64, **changes)
    frames = Frames(request)
    view = frames.view(frames.begin())
    preview = Glimpse(view, 512).lay(Image.new("RGB", (16, 16), "red"))
    whole = view.put_back(Image.new("RGB", (64, 64), "red")).image
    whole = whole.resize(preview.size, Image.Resampling.BOX)
    assert max(preview.size) == min(max(view.original.image.size), 512)
    assert max(most for _least, most in ImageChops.difference(preview, whole).getextrema()) <= 2


def test_a_mask_at_the_very_edge_is_not_cropped_away(make):
    request = make(size=(150, 90), box=(0, 0, 150, 4))
    frames = Frames(request)
    view = frames.view(frames.begin())
    assert view.placement.box == (0, 0, 150, 90)
    assert view.mask.getbbox()[:2] == (0, 0)
    assert frames.notes == []


def test_what_of_the_mask_is_cropped_away_is_told(engine, make):
    request = make(size=(64, 200), box=(10, 0, 50, 100), width=64, height=64, colour_match=ColourMatch.LAB)
    request = replace(request, stages=request.stages * 2)
    result, again = (engine.run(request, Recorder(), NEVER) for _ in range(2))
    assert len([note for note in result.notes if "outside the cropped part" in note]) == 1
    assert outside_is_the_same(request, result.image)
    assert (again.reused, again.notes, again.image.tobytes()) == (1, result.notes, result.image.tobytes())


@pytest.mark.parametrize("masked_only", [False, True])
def test_a_mask_of_which_nothing_is_seen_is_refused(make, masked_only):
    outside = make(size=(64, 200), box=(10, 0, 50, 60), width=64, height=64, own_size=False, masked_only=masked_only)
    card = replace(outside.stages[0], kind=StageKind.IMAGE_TO_IMAGE)
    frames = Frames(replace(outside, stages=(card, *outside.stages)))
    with pytest.raises(ImageError, match="Nothing of the mask is seen"):
        frames.view(frames.begin())
    with pytest.raises(ImageError, match="too small for its feather"):
        Frames(make(size=(64, 64), box=(30, 30, 31, 31), mask_feather=60))


def test_what_is_painted_where_nothing_was_seen_is_seen_at_the_working_size_too(engine, make):
    request = make(size=(64, 64), mode="RGBA", own_size=False, width=64, height=64)
    clear = load_image(request.init_image.path)
    clear.putalpha(0)
    ref = make_ref(request.init_image.path.with_name("clear.png"), clear)
    result = picture_of(engine, replace(request, init_image=ref))
    assert result.getchannel("A").getbbox() == (16, 16, 48, 48)


def test_another_size_of_the_result_is_no_reason_to_go_on_from_a_picture_of_the_wrong_size(engine, make):
    chain = (Card(StageKind.INPAINT, steps=STEPS, strength=1.0),)
    whole, working = (make(size=(128, 128), chain=chain, own_size=own, width=64, height=64) for own in (True, False))
    fresh = picture_of(engine, working)
    engine._workshop.cache.clear()
    picture_of(engine, whole)
    result = engine.run(working, Recorder(), NEVER)
    assert result.image.size == (64, 64)
    assert result.image.tobytes() == fresh.tobytes()


@pytest.mark.parametrize("own_size", [True, False])
def test_a_control_image_of_the_picture_s_size_lies_on_it_in_a_close_up_too(make, own_size):
    request = make(size=(400, 300), box=(300, 40, 340, 80), masked_only=True, own_size=own_size, width=128, height=64)
    frames = Frames(request)
    view = frames.view(frames.begin())
    same = load_image(request.init_image.path)
    assert frames.seen(same, view).tobytes() == view.image.tobytes()
    assert frames.seen(make_picture((50, 50)), view).size == (128, 64)


def test_a_control_image_made_elsewhere_in_another_size_lies_on_the_picture_in_a_close_up(make):
    request = make(size=(400, 300), box=(300, 40, 340, 80), masked_only=True, width=128, height=64)
    frames = Frames(request)
    view = frames.view(frames.begin())
    large = load_image(request.init_image.path).resize((1600, 1200))
    difference = ImageChops.difference(frames.seen(large, view), view.image)
    assert max(high for _low, high in difference.getextrema()) < 64  # a half covered edge; beside it, it would be all


def test_at_the_working_size_the_rest_is_the_placed_picture(engine, make):
    request = make(size=(128, 128), box=(32, 32, 96, 96), own_size=False, width=64, height=64)
    result = picture_of(engine, request)
    placed = Frames(replace(request, mask=None, stages=())).placement
    from desktop_app.core.placement import place

    original = place(load_image(request.init_image.path), placed)
    assert result.size == (64, 64)
    difference = ImageChops.difference(result, original).convert("L")
    assert difference.crop((16, 16, 48, 48)).getbbox()
    difference.paste(0, (16, 16, 48, 48))
    assert difference.getbbox() is None


def test_a_card_paints_inside_the_mask_on_what_came_before(engine, make):
    chain = (Card(StageKind.INPAINT, steps=STEPS, strength=1.0),)
    request = make(chain=chain, own_size=False, width=64, height=64)
    result = engine.run(
        replace(request, stages=(replace(request.stages[0], kind=StageKind.IMAGE_TO_IMAGE), request.stages[1])),
        Recorder(),
        NEVER,
    )
    before = result.intermediates[0].image
    difference = ImageChops.difference(result.image, before).convert("L")
    assert difference.crop((16, 16, 48, 48)).getbbox()
    difference.paste(0, (16, 16, 48, 48))
    assert difference.getbbox() is None


def test_50_masks_leave_the_rest_byte_for_byte(make):
    chance = random.Random(11)
    for _ in range(50):
        size = (chance.randint(24, 140), chance.randint(24, 140))
        left, top = chance.randint(0, size[0] - 12), chance.randint(0, size[1] - 12)
        box = (left, top, chance.randint(left + 1, size[0]), chance.randint(top + 1, size[1]))
        fit = chance.choice(list(Fit))
        request = make(
            size=size,
            box=box,
            fit=fit,
            mask_feather=chance.randint(0, 12),
            masked_only=chance.random() < 0.5,
            width=64,
            height=64,
        )
        frames = Frames(request)
        view = frames.view(frames.begin())
        painted = Image.effect_noise(view.image.size, 90).convert("RGB")
        assert outside_is_the_same(request, frames.finish(view.put_back(painted)))


def test_of_a_mask_painted_on_a_transparent_ground_the_ground_stays(make, tmp_path):
    request = make()
    mask = Image.open(request.mask.path)
    mask.putalpha(mask.convert("L"))
    request = replace(request, mask=make_ref(tmp_path / "clear.png", mask))
    frames = Frames(request)
    assert frames.view(frames.begin()).soft.getbbox() == (16, 16, 48, 48)


def test_a_checkpoint_for_inpainting_without_a_mask_is_refused(folders, paths, make):
    store = CheckpointStore(paths)
    params = Params("the cat", checkpoint=str(folders["nine"]))
    with pytest.raises(RequestError, match="only inside a mask") as caught:
        build_request(params, make().init_image, store.describe(params.checkpoint), 7)
    assert caught.value.param == "checkpoint"


def test_a_mask_of_another_size_or_an_empty_one_is_refused_before_anything_is_loaded(engine, make, tmp_path):
    request = make()
    other = make_ref(tmp_path / "other.png", Image.new("RGB", (32, 64), "white"))
    empty = make_ref(tmp_path / "empty.png", Image.new("RGB", (64, 64)))
    with pytest.raises(ImageError, match="does not fit"):
        engine.run(replace(request, mask=other), Recorder(), NEVER)
    with pytest.raises(ImageError, match="empty"):
        engine.run(replace(request, mask=empty), Recorder(), NEVER)


def test_the_starter_whose_latents_have_eight_channels_paints_inside_a_mask(engine, make):
    request = make(width=64, height=64)
    request = replace(request, stages=(replace(request.stages[0], checkpoint="starter"),))
    result = picture_of(engine, request)
    assert outside_is_the_same(request, result)
    assert ImageChops.difference(result, load_image(request.init_image.path)).getbbox() == (16, 16, 48, 48)
