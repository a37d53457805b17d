"""Chains: what the guide does with several pipelines, against bare calls of diffusers; and what is not run again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from threading import Event

import pytest
from bare import bare
from engine_runs import NEVER, Recorder
from PIL import Image, ImageStat
from support import make_picture, make_ref
from tiny import write_stable_diffusion
from tiny_control import write_control_net, write_depth_decoder
from tiny_kandinsky import write_decoder, write_prior
from tiny_upscalers import write_latent_upscaler, write_x4_upscaler

from desktop_app.core.chain import Card
from desktop_app.core.conditions import ColourMatch, Control, ControlMode
from desktop_app.core.engine import Phase
from desktop_app.core.errors import Cancelled, CheckpointError, RequestError
from desktop_app.core.kinds import StageKind
from desktop_app.core.params import Params
from desktop_app.core.planning import build_request, plan_run
from desktop_app.core.request import request_from_json
from desktop_app.core.stage_keys import stage_keys
from desktop_app.engine.diffusers_engine import DiffusersEngine
from desktop_app.store.checkpoints import CheckpointStore

STEPS = 4
NUMBERS = {"num_inference_steps": STEPS, "guidance_scale": 4.0}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """By name: three checkpoints of Stable Diffusion, of which two have the same VAE, and what else chains need."""
    base = tmp_path_factory.mktemp("chains")
    first, twin = (
        write_stable_diffusion(base / name, safety_checker=False, seed=seed)
        for name, seed in (("first", 0), ("twin", 1))
    )
    shutil.rmtree(twin / "vae")
    shutil.copytree(first / "vae", twin / "vae")
    return {
        "first": first,
        "twin": twin,
        "stranger": write_stable_diffusion(base / "stranger", safety_checker=False, seed=2),
        "prior": write_prior(base / "prior"),
        "decoder": write_decoder(base / "decoder"),
        "double": write_latent_upscaler(base / "double"),
        "fourfold": write_x4_upscaler(base / "fourfold"),
    }


@pytest.fixture
def engine(paths):
    engine = DiffusersEngine(CheckpointStore(paths).resolve, threads=1)
    yield engine
    engine.close()


@pytest.fixture
def make(folders, paths):
    """Makes requests by way of the plan, as the window and the command line do."""
    store = CheckpointStore(paths)

    def make(*cards, init_image=None, mask=None, **changes):
        named = [replace(card, checkpoint=str(folders.get(card.checkpoint, card.checkpoint))) for card in cards]
        usual = Params("the cat", "dog", guidance_scale=4.0, steps=STEPS, checkpoint=str(folders["first"]), recipe="")
        if not init_image:
            usual = replace(usual, width=64, height=64)
        params = replace(usual, chain=tuple(named), own_size=False, **changes)
        return build_request(params, init_image, store.describe(params.checkpoint), 7, store.describe, mask)

    return make


@pytest.fixture
def picture(tmp_path):
    return make_ref(tmp_path / "init.png", make_picture((64, 64), "RGB", 3))


def card(checkpoint="", kind=StageKind.IMAGE_TO_IMAGE, **changes):
    return Card(kind, checkpoint, steps=STEPS, guidance_scale=4.0, **changes)


def noise():
    import torch

    return torch.Generator("cpu").manual_seed(7)


def i2i(folder, image, strength, generator, prompt="the cat", **more):
    pipeline = bare("StableDiffusionImg2ImgPipeline", folder)
    return pipeline(
        prompt, image=image, strength=strength, negative_prompt="dog", generator=generator, **NUMBERS, **more
    )


def run(engine, request):
    return engine.run(request, Recorder(), NEVER)


def test_text_to_image_to_image_of_another_family_is_what_two_pipelines_make(engine, make, folders):
    generator = noise()
    text = bare("StableDiffusionPipeline", folders["first"])
    first = text("the cat", negative_prompt="dog", width=64, height=64, generator=generator, **NUMBERS).images[0]
    prior = bare("KandinskyV22PriorPipeline", folders["prior"])
    embeds = prior("the cat", negative_prompt="dog", num_inference_steps=25, guidance_scale=4.0, generator=generator)
    decoder = bare("KandinskyV22Img2ImgPipeline", folders["decoder"])
    theirs = decoder(image=first, strength=0.5, width=64, height=64, generator=generator, **embeds, **NUMBERS).images[0]
    request = make(card("decoder"), prior=str(folders["prior"]))
    request = replace(request, stages=(request.stages[0], replace(request.stages[1], prior=str(folders["prior"]))))
    result = run(engine, request)
    assert result.image.tobytes() == theirs.tobytes()
    (kept,) = result.intermediates
    assert (kept.stage, kept.image.tobytes()) == (0, first.tobytes())


def test_three_styles_hand_on_latents_where_the_vae_is_the_same_and_pixels_where_not(engine, make, folders, picture):
    generator = noise()
    init = Image.open(picture.path).convert("RGB")
    first = i2i(folders["first"], init, 0.6, generator, output_type="latent").images
    second = i2i(folders["twin"], first, 0.75, generator, "the cat, in oil").images[0]
    theirs = i2i(folders["stranger"], second, 0.5, generator).images[0]
    cards = card("twin", strength=0.75, prompt="the cat, in oil"), card("stranger", strength=0.5)
    result = run(engine, make(*cards, init_image=picture, strength=0.6))
    assert result.image.tobytes() == theirs.tobytes()
    assert result.steps_run == (3, 4, 3)  # PNDM takes one pass more than 2, 3 and 2 steps
    assert result.intermediates[1].image.tobytes() == second.tobytes()


def test_a_picture_is_enlarged_eight_times_through_both_upscalers(engine, make, folders, picture):
    generator = noise()
    latents = i2i(
        folders["first"], Image.open(picture.path).convert("RGB"), 0.6, generator, output_type="latent"
    ).images
    double = bare("StableDiffusionLatentUpscalePipeline", folders["double"])
    decoded = bare("StableDiffusionPipeline", folders["first"])
    image = decoded.image_processor.postprocess(
        decoded.vae.decode(latents / decoded.vae.config.scaling_factor)[0].detach()
    )
    twice = double("the cat", image=image[0], negative_prompt="dog", generator=generator, **NUMBERS).images[0]
    fourfold = bare("StableDiffusionUpscalePipeline", folders["fourfold"])
    theirs = fourfold("the cat", image=twice, negative_prompt="dog", generator=generator, **NUMBERS).images[0]
    cards = card("double", StageKind.LATENT_UPSCALE), card("fourfold", StageKind.UPSCALE)
    request = make(*cards, init_image=picture, strength=0.6)
    result = run(engine, request)
    assert result.image.size == (512, 512)
    assert result.image.tobytes() == theirs.tobytes()
    assert [each.image.size for each in result.intermediates] == [(64, 64), (128, 128)]


def test_the_latent_upscaler_gets_the_latents_themselves_where_its_vae_is_the_same(engine, folders, make, picture):
    double_folder = shutil.copytree(folders["double"], folders["double"].with_name("double-same"))
    shutil.rmtree(double_folder / "vae")
    shutil.copytree(folders["first"] / "vae", double_folder / "vae")
    generator = noise()
    init = Image.open(picture.path).convert("RGB")
    latents = i2i(folders["first"], init, 0.6, generator, output_type="latent").images
    double = bare("StableDiffusionLatentUpscalePipeline", double_folder)
    twice = double("the cat", image=latents, negative_prompt="dog", generator=generator, **NUMBERS).images[0]
    result = run(engine, make(card(str(double_folder), StageKind.LATENT_UPSCALE), init_image=picture, strength=0.6))
    assert result.image.tobytes() == twice.tobytes()


def test_depth_is_followed_and_the_result_restyled_by_another_checkpoint(engine, folders, make, picture, tmp_path):
    """The guide's ControlNet with a depth map (its pipeline counts that 0.8), and its restyling."""
    net = write_control_net(tmp_path / "depth", folders["first"])
    depth = make_ref(tmp_path / "depth.png", make_picture((64, 64), "RGB", 9))
    generator = noise()
    follow = bare("StableDiffusionControlNetImg2ImgPipeline", folders["first"], controlnet=bare_net(net))
    init, hint = (Image.open(ref.path).convert("RGB") for ref in (picture, depth))
    followed = follow(
        "the cat", image=init, control_image=hint, strength=0.6, negative_prompt="dog", generator=generator, **NUMBERS
    ).images[0]
    restyle = bare("StableDiffusionImg2ImgPipeline", folders["stranger"])
    theirs = restyle(
        "elden ring style astronaut in a jungle",
        image=followed,
        negative_prompt="ugly",
        strength=0.45,
        num_inference_steps=10,
        guidance_scale=10.5,
        generator=generator,
    ).images[0]
    last = Card(
        StageKind.IMAGE_TO_IMAGE,
        "stranger",
        "elden ring style astronaut in a jungle",
        "ugly",
        strength=0.45,
        steps=10,
        guidance_scale=10.5,
    )
    control = Control(ControlMode.DEPTH, str(net), depth, derive=False, weight=0.8)
    result = run(engine, make(last, init_image=picture, strength=0.6, controls=(control,)))
    assert result.intermediates[0].image.tobytes() == followed.tobytes()
    assert result.image.tobytes() == theirs.tobytes()


def bare_net(folder):
    import torch
    from diffusers import ControlNetModel

    return ControlNetModel.from_pretrained(folder, dtype=torch.float32)


def test_kandinsky_follows_the_depth_by_a_decoder_of_its_own(engine, folders, make, picture, tmp_path):
    import numpy
    import torch

    decoder = write_depth_decoder(tmp_path / "decoder", str(folders["prior"]))
    depth = make_ref(tmp_path / "depth.png", make_picture((64, 64), "RGB", 9))
    generator = noise()
    prior = bare("KandinskyV22PriorPipeline", folders["prior"])
    embeds = prior("the cat", negative_prompt="dog", num_inference_steps=25, guidance_scale=4.0, generator=generator)
    hint = torch.from_numpy(numpy.array(Image.open(depth.path).convert("RGB"))).permute(2, 0, 1)[None].float() / 255
    follow = bare("KandinskyV22ControlnetImg2ImgPipeline", decoder)
    init = Image.open(picture.path).convert("RGB")
    theirs = follow(
        image=init, hint=hint, strength=0.5, width=64, height=64, generator=generator, **embeds, **NUMBERS
    ).images[0]
    control = Control(ControlMode.DEPTH, "", depth, derive=False)
    result = run(engine, make(init_image=picture, strength=0.5, checkpoint=str(decoder), controls=(control,)))
    assert result.image.tobytes() == theirs.tobytes()


def test_a_control_image_of_another_net_runs_its_stage_again(engine, folders, make, picture, tmp_path):
    nets = [write_control_net(tmp_path / f"net-{seed}", folders["first"], seed=seed) for seed in (1, 2)]
    controls = [(Control(ControlMode.CANNY, str(net)),) for net in nets]
    requests = [make(card("twin"), init_image=picture, strength=0.6, controls=each) for each in controls]
    run(engine, requests[0])
    assert run(engine, requests[1]).reused == 0
    assert run(engine, requests[0]).reused == 1
    shutil.copytree(nets[1], nets[0], dirs_exist_ok=True)
    assert run(engine, requests[0]).reused == 0


def test_a_request_whose_stages_cannot_begin_or_end_is_refused(engine, make, picture):
    request = make(card("fourfold", StageKind.UPSCALE), init_image=picture, first_stage=False)
    with pytest.raises(RequestError, match="needs a picture to start from"):
        run(engine, replace(request, init_image=None))
    whole = make(init_image=picture, strength=1.0)
    with pytest.raises(RequestError, match="does not end"):
        run(engine, replace(whole, stages=(replace(whole.stages[0], end=0.5),)))


def test_weights_that_are_written_while_a_stage_runs_make_it_run_again(engine, folders, make, picture, tmp_path):
    own = shutil.copytree(folders["stranger"], tmp_path / "own")
    request = make(card("twin"), init_image=picture, checkpoint=str(own))
    weights = next((own / "unet").glob("*.safetensors"))

    def write(progress):
        if progress.stage == 0 and progress.phase is Phase.DENOISING:
            weights.touch()

    engine.run(request, write, NEVER)
    assert run(engine, request).reused == 0
    assert run(engine, request).reused == 1


def test_another_checkpoint_under_the_same_name_makes_its_stage_run_again(engine, folders, make, picture):
    places = {"current": folders["twin"]}
    find = engine._find_checkpoint
    engine._find_checkpoint = lambda ref: places.get(ref) or find(ref)
    request = make(card("twin"), card("stranger"), init_image=picture)
    request = replace(request, stages=(replace(request.stages[0], checkpoint="current"), *request.stages[1:]))
    run(engine, request)
    first = stage_keys(request)[0]
    assert first in engine.status().stage_keys
    places["current"] = folders["first"]  # such as the next revision of it
    assert first not in engine.status().stage_keys
    result = run(engine, request)
    engine._workshop.cache.clear()
    assert (result.reused, result.image.tobytes()) == (0, run(engine, request).image.tobytes())


def test_a_checkpoint_that_went_away_is_told_with_its_stage_before_any_other_runs(engine, make, picture):
    request = make(card("twin"), card("stranger"), init_image=picture)
    gone = replace(request.stages[2], checkpoint="gone")
    recorder = Recorder()
    with pytest.raises(CheckpointError) as caught:
        engine.run(replace(request, stages=(*request.stages[:2], gone)), recorder, NEVER)
    assert caught.value.detail.startswith("stage 3 of 3: ")
    assert not any(event.phase is Phase.DENOISING for event in recorder.events)


def test_an_upscaler_alone_takes_the_picture_as_it_is(engine, make, folders, tmp_path):
    ref = make_ref(tmp_path / "odd.png", make_picture((40, 24), "RGB", 1))
    request = make(card("fourfold", StageKind.UPSCALE), init_image=ref, first_stage=False)
    fourfold = bare("StableDiffusionUpscalePipeline", folders["fourfold"])
    init = Image.open(ref.path).convert("RGB")
    theirs = fourfold("the cat", image=init, negative_prompt="dog", generator=noise(), **NUMBERS).images[0]
    result = run(engine, request)
    assert (request.width, request.height) == (40, 24)
    assert result.image.tobytes() == theirs.tobytes()


def test_only_what_changed_and_what_follows_is_run_again(engine, make, picture):
    def cards(last):
        return card("twin"), card("stranger"), card("first", strength=last)

    run(engine, make(*cards(0.5), init_image=picture))
    request = make(*cards(0.75), init_image=picture)
    recorder = Recorder()
    result = engine.run(request, recorder, NEVER)
    denoised = {event.stage for event in recorder.events if event.phase is Phase.DENOISING}
    assert (denoised, result.reused, len(result.steps_run)) == ({3}, 3, 4)
    assert engine.status().stage_keys >= set(stage_keys(request))
    engine._workshop.cache.clear()
    fresh = run(engine, request)
    assert fresh.reused == 0
    assert fresh.image.tobytes() == result.image.tobytes()
    assert [each.image.tobytes() for each in fresh.intermediates] == [
        each.image.tobytes() for each in result.intermediates
    ]
    assert (fresh.steps_run, fresh.notes) == (result.steps_run, result.notes)


def test_the_unet_of_the_last_stage_alone_is_called(engine, make, picture):
    first = make(card("twin"), card("stranger"), card("first", strength=0.5), init_image=picture)
    run(engine, first)
    calls = []
    handles = [
        resident.pipelines[StageKind.IMAGE_TO_IMAGE].unet.register_forward_pre_hook(
            lambda *_args, path=path: calls.append(path.name)
        )
        for (path, _dtype), resident in engine._workshop.residency._residents.items()
    ]
    changed = replace(first, stages=(*first.stages[:3], replace(first.stages[3], prompt="a dog")))
    run(engine, changed)
    for handle in handles:
        handle.remove()
    assert len(handles) == 3
    assert set(calls) == {"first"}


def test_a_stage_added_to_a_finished_chain_goes_on_from_it(engine, make, picture):
    run(engine, make(card("twin"), init_image=picture))
    longer = run(engine, make(card("twin"), card("first"), init_image=picture))
    engine._workshop.cache.clear()
    fresh = run(engine, make(card("twin"), card("first"), init_image=picture))
    assert longer.reused == 2
    assert longer.image.tobytes() == fresh.image.tobytes()


def test_another_seed_runs_every_stage_again(engine, make, picture):
    request = make(card("twin"), init_image=picture)
    run(engine, request)
    assert run(engine, replace(request, seed=8)).reused == 0


def test_only_checkpoints_whose_pipelines_can_end_early_are_taken_over(make, picture):
    with pytest.raises(RequestError, match="cannot take over") as caught:
        make(card("twin", begin=0.5), init_image=picture, strength=1.0)
    assert caught.value.param == "chain.0"


def test_a_stop_between_two_stages_leaves_what_is_done_for_the_next_run(engine, make, picture):
    request = make(card("stranger"), init_image=picture)
    cancel = Event()

    def watch(progress):
        if progress.stage == 1 and progress.phase is Phase.DENOISING:
            cancel.set()

    with pytest.raises(Cancelled):
        engine.run(request, watch, cancel)
    assert run(engine, request).reused == 1


def test_the_colours_of_the_root_come_back(engine, make, picture):
    plain, matched = (
        run(engine, make(init_image=picture, colour_match=match)).image for match in (ColourMatch.OFF, ColourMatch.LAB)
    )
    root = ImageStat.Stat(Image.open(picture.path).convert("RGB")).mean
    off = [sum(abs(a - b) for a, b in zip(ImageStat.Stat(each).mean, root, strict=True)) for each in (plain, matched)]
    assert off[1] < off[0]


def test_a_chain_survives_being_written_and_read(make, picture):
    request = make(card("twin", prompt="in oil"), card("double", StageKind.LATENT_UPSCALE), init_image=picture)
    again = request_from_json(request.to_json(), {picture.sha256: picture.path})
    assert again == request
    params = again.to_params()
    assert [each.kind for each in params.chain] == [StageKind.IMAGE_TO_IMAGE, StageKind.LATENT_UPSCALE]
    assert (params.chain[0].prompt, params.chain[1].prompt, params.first_stage) == ("in oil", None, True)


@pytest.mark.parametrize(
    ("cards", "changes", "param"),
    [
        ([card("double")], {}, "chain.0"),
        ([card("twin"), card("twin", StageKind.LATENT_UPSCALE)], {}, "chain.1"),
        ([card("", StageKind.UPSCALE)], {}, "chain.0"),
        ([card("twin", StageKind.INPAINT)], {}, "chain.0"),
        ([card("twin", strength=0.1)], {}, "chain.0"),
        ([card("twin", begin=0.1)], {}, "chain.0"),
        ([card("twin", begin=0.5)], {"first_stage": False}, "chain.0"),
        ([card("twin", is_on=False)], {"first_stage": False}, "first_stage"),
    ],
)
def test_a_card_that_cannot_run_is_refused_by_its_number(make, picture, cards, changes, param):
    with pytest.raises(RequestError) as caught:
        make(*cards, init_image=picture, **changes)
    assert caught.value.param == param
    assert caught.value.hint


def test_a_card_that_is_off_is_no_stage(make, picture):
    assert len(make(card("twin", is_on=False), card("first"), init_image=picture).stages) == 2


def test_a_result_that_would_be_enormous_is_refused_before_it_runs(folders, paths, make, picture):
    up = card("fourfold", StageKind.UPSCALE)
    with pytest.raises(RequestError, match="too large"):
        make(up, up, up, up, init_image=picture, width=256, height=256)


def test_a_picture_that_is_too_small_to_be_doubled_is_refused_before_it_runs(make, tmp_path):
    ref = make_ref(tmp_path / "small.png", make_picture((70, 33), "RGB", 1))
    with pytest.raises(RequestError, match="too small for the latent upscaler") as caught:
        make(card("double", StageKind.LATENT_UPSCALE), init_image=ref, first_stage=False)
    assert "another kind of upscaler" in caught.value.hint


def test_sizes_after_each_stage_are_known_before(folders, paths, picture):
    store = CheckpointStore(paths)
    chain = (
        Card(StageKind.LATENT_UPSCALE, str(folders["double"])),
        Card(StageKind.UPSCALE, str(folders["fourfold"])),
    )
    params = Params("the cat", checkpoint=str(folders["first"]), chain=chain, width=64, height=64)
    facts = plan_run(params, (70, 70), store.describe(params.checkpoint), store.describe)
    assert facts.sizes == ((64, 64), (128, 128), (512, 512))
    assert facts.result_size == (512, 512)
    assert facts.cards == 2
