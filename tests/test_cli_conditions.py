"""The command line with masks, control images, adapters, styles, choices and chains, on tiny checkpoints and with the
real engine: what ``--from`` makes again has the same pixels.
"""

from __future__ import annotations

import json
import shutil

import pytest
from PIL import Image, ImageChops
from support import make_picture
from tiny import write_stable_diffusion
from tiny_adapters import write_ip_adapter, write_lora, write_textual_inversion
from tiny_control import write_control_net
from tiny_kandinsky import write_stages
from tiny_upscalers import write_latent_upscaler, write_x4_upscaler

from desktop_app.__main__ import main
from desktop_app.core.conditions import ColourMatch

CHAIN = """
label = "Mine"
checkpoint = "first"
[defaults]
steps = 4
strength = 0.75
colour_match = "lab"
[[chain]]
checkpoint = "other"
prompt = "{prompt}, in oil"
steps = 4
strength = 0.5
[[chain]]
kind = "latent upscale"
checkpoint = "double"
steps = 2
[[controls]]
mode = "tile"
checkpoint = "net"
weight = 0.5
"""


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """A folder with all that is named below."""
    from diffusers import StableDiffusionPipeline

    from desktop_app.engine.pipelines import quieten_libraries

    quieten_libraries()
    folder = write_stages(tmp_path_factory.mktemp("checkpoints"))
    for seed, name in enumerate(("first", "other")):
        write_stable_diffusion(folder / name, safety_checker=False, seed=seed)
    write_control_net(folder / "net", folder / "first")
    write_latent_upscaler(folder / "double")
    write_x4_upscaler(folder / "fourfold")
    pipeline = StableDiffusionPipeline.from_pretrained(folder / "first")
    write_lora(pipeline, folder / "ink.safetensors")
    shutil.copy(folder / "ink.safetensors", folder / "copy.safetensors")
    write_textual_inversion(folder / "word.safetensors")
    write_ip_adapter(pipeline.unet, folder / "look.safetensors")
    (folder / "mine.toml").write_text(CHAIN)
    return folder


@pytest.fixture
def generate(checkpoints, tmp_path, capsys, monkeypatch):
    """Runs ``generate`` in this process, in the folder of checkpoints, on an init image; its JSON, or its error."""
    monkeypatch.chdir(checkpoints)
    make_picture((64, 64), seed=3).save(tmp_path / "init.png")
    mask = Image.new("L", (64, 64))
    mask.paste(255, (16, 16, 48, 48))
    mask.save(tmp_path / "mask.png")
    make_picture((41, 55), seed=5).save(tmp_path / "own.png")

    def run(name: str, *arguments: object):
        given = ["generate", *arguments, "--json", "-o", tmp_path / name, "--overwrite"]
        failed = main(["--data-dir", str(tmp_path / "data"), *map(str, given)])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return said.err if failed else json.loads(said.out)

    return run


@pytest.fixture
def usual(tmp_path):
    return (tmp_path / "init.png", "--checkpoint", "first", "--prompt", "a cat", "--seed", 7, "--steps", 4)


def comes_again(generate, tmp_path, *arguments, image="init.png", given=()):
    """The result, which ``--from`` with what is ``given`` anew makes again, from another folder."""
    made = generate("one.png", *arguments)
    assert isinstance(made, dict), made
    again = generate("two.png", tmp_path / image, "--from", tmp_path / "one.png", *given)
    assert isinstance(again, dict), again
    assert again["pixels_sha256"] == made["pixels_sha256"]
    assert again["request"] == made["request"]
    return made


def test_only_the_masked_part_changes(generate, usual, tmp_path):
    mask = ("--mask", tmp_path / "mask.png")
    options = ("--mask-feather", 2, "--masked-only", "--mask-padding", 8, "--strength", 1)
    made = comes_again(generate, tmp_path, *usual, *mask, *options, given=mask)
    request = made["request"]
    assert (request["mask_feather"], request["masked_only"], request["mask_padding"]) == (2, True, 8)
    assert request["stages"][0]["kind"] == "inpaint"
    pictures = [Image.open(tmp_path / name).convert("RGB") for name in ("one.png", "init.png")]
    left, top, right, bottom = ImageChops.difference(*pictures).getbbox()
    assert min(left, top) >= 14
    assert max(right, bottom) <= 50


def test_a_control_image_is_derived_from_the_init_image(generate, usual, tmp_path):
    plain = generate("plain.png", *usual)
    made = comes_again(generate, tmp_path, *usual, "--control", "canny,checkpoint=net,weight=0.7,low=40,high=90,end=.8")
    (control,) = made["request"]["stages"][0]["controls"]
    assert (control["weight"], control["low"], control["high"], control["end"]) == (0.7, 40, 90, 0.8)
    assert made["pixels_sha256"] != plain["pixels_sha256"]


def test_a_control_image_of_its_own_is_used_as_it_is(generate, usual, tmp_path):
    control = ("--control", f"depth,checkpoint=net,image={tmp_path / 'own.png'},derive=no")
    made = comes_again(generate, tmp_path, *usual, *control, given=control)
    derived = generate("derived.png", *usual, "--control", f"depth,checkpoint=net,image={tmp_path / 'own.png'}")
    assert derived["pixels_sha256"] != made["pixels_sha256"]
    assert "own.png" in json.dumps(made["request"])
    assert str(tmp_path) not in json.dumps(made["request"]["stages"][0]["controls"][0]["image"])


def test_several_control_images_count_at_once(generate, usual, tmp_path):
    both = ("--control", "tile,checkpoint=net", "--control", "line art,checkpoint=net,start=0.25")
    made = comes_again(generate, tmp_path, *usual, *both)
    assert [each["mode"] for each in made["request"]["stages"][0]["controls"]] == ["tile", "line art"]


def test_a_lora_and_a_new_word_change_the_picture(generate, usual, tmp_path):
    plain = generate("plain.png", *usual)
    adapters = ("--adapter", "ink.safetensors,weight=0.8", "--adapter", "word.safetensors,token=<mine>")
    made = comes_again(generate, tmp_path, *usual, "--prompt", "a cat, <mine>", *adapters)
    lora, word = made["request"]["stages"][0]["adapters"]
    assert (lora["kind"], lora["weight"], word["token"], len(word["sha256"])) == ("LoRA", 0.8, "<mine>", 64)
    assert made["pixels_sha256"] != plain["pixels_sha256"]


def test_an_ip_adapter_looks_at_a_picture(generate, usual, tmp_path):
    look = ("--adapter", f"look.safetensors,weight=0.6,image={tmp_path / 'own.png'}")
    made = comes_again(generate, tmp_path, *usual, *look, given=look)
    assert made["request"]["stages"][0]["adapters"][0]["image"]["name"] == "own.png"


def test_a_style_and_choices_are_written_down_as_they_were_read(generate, usual, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "styles.toml").write_text('[mine]\nlabel = "Oil"\nprompt = "oil {x|y}, {prompt}, rough"\n')
    made = comes_again(generate, tmp_path, *usual, "--prompt", "a {red|blue|green} cat", "--style", "mine")
    prompt = made["request"]["stages"][0]["prompt"]
    assert prompt.startswith("oil ")
    assert prompt.endswith("cat, rough")
    assert not set("{|}") & set(prompt)


def test_a_recipe_file_has_a_chain_and_control_images(generate, checkpoints, tmp_path):
    made = comes_again(generate, tmp_path, tmp_path / "init.png", "--recipe", "mine.toml", "--prompt", "a cat")
    stages = made["request"]["stages"]
    assert [stage["kind"] for stage in stages] == ["image-to-image", "image-to-image", "latent upscale"]
    assert [stage["checkpoint"] for stage in stages] == [str(checkpoints / n) for n in ("first", "other", "double")]
    assert stages[0]["controls"][0]["checkpoint"] == str(checkpoints / "net")
    assert (stages[1]["prompt"], made["width"], len(made["steps_run"])) == ("a cat, in oil", 128, 3)
    assert made["request"]["colour_match"] == ColourMatch.LAB.value


def test_a_recipe_file_has_adapters_that_are_found_again_from_anywhere(generate, checkpoints, tmp_path, monkeypatch):
    (tmp_path / "inked.toml").write_text(
        'label = "Inked"\ncheckpoint = "first"\n[defaults]\nsteps = 4\n'
        '[[adapters]]\nkind = "LoRA"\nref = "ink.safetensors"\nweight = 0.8\n'
    )
    made = generate("one.png", tmp_path / "init.png", "--recipe", tmp_path / "inked.toml", "--prompt", "a cat")
    (adapter,) = made["request"]["stages"][0]["adapters"]
    assert (adapter["ref"], len(adapter["sha256"])) == (str(checkpoints / "ink.safetensors"), 64)
    monkeypatch.chdir(tmp_path)
    again = generate("two.png", tmp_path / "init.png", "--from", tmp_path / "one.png")
    assert again["pixels_sha256"] == made["pixels_sha256"]


def test_an_adapter_that_is_gone_or_another_is_told_with_what_can_be_done(generate, usual, checkpoints, tmp_path):
    ink = tmp_path / "ink.safetensors"
    shutil.copy(checkpoints / ink.name, ink)
    made = generate("one.png", *usual, "--adapter", f"{ink},weight=0.5")
    shutil.copy(checkpoints / "word.safetensors", ink)
    start = (tmp_path / "init.png", "--from", tmp_path / "one.png")
    said = generate("two.png", *start)
    assert "has changed" in said
    assert "--adapter" in said
    ink.unlink()
    said = generate("two.png", *start)
    assert "cannot be found" in said
    assert "--adapter" in said
    again = generate("two.png", *start, "--adapter", "ink.safetensors,weight=0.5")
    assert again["pixels_sha256"] == made["pixels_sha256"]


def test_an_upscaler_alone_takes_a_picture_of_any_size(generate, checkpoints, tmp_path):
    (tmp_path / "up.toml").write_text(
        'label = "Up"\ncheckpoint = "first"\n[defaults]\nfirst_stage = false\n'
        '[[chain]]\nkind = "upscale"\ncheckpoint = "fourfold"\nsteps = 2\n'
    )
    usual = (tmp_path / "own.png", "--recipe", tmp_path / "up.toml", "--prompt", "a cat")
    made = comes_again(generate, tmp_path, *usual, image="own.png")
    assert (made["width"], made["height"]) == (4 * 41, 4 * 55)


def test_a_prior_that_a_card_needs_can_be_given(generate, usual, checkpoints, tmp_path):
    (tmp_path / "kandinsky.toml").write_text(
        'label = "K"\ncheckpoint = "first"\n[defaults]\nsteps = 4\n[[chain]]\ncheckpoint = "decoder"\nsteps = 2\n'
    )
    recipe = ("--recipe", tmp_path / "kandinsky.toml", "--prior", "prior", "--prior-steps", 3)
    made = comes_again(generate, tmp_path, tmp_path / "init.png", "--prompt", "a cat", *recipe)
    assert (made["request"]["stages"][1]["prior_steps"]) == 3
    assert made["request"]["stages"][1]["prior"] == str(checkpoints / "prior")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--mask", "own.png"), "does not fit the init image"),
        (("--mask", "nowhere.png"), "nowhere.png"),
        (("--mask-feather", 4), "--mask-feather has no effect"),
        (("--control", "canny"), "has no ControlNet"),
        (("--control", "canny,checkpoint=nowhere"), "nowhere"),
        (("--control", "canny,checkpoint=other"), "no ControlNet"),
        (("--control", "lineart,checkpoint=net"), "line art, tile, pose"),
        (("--control", "tile,checkpoint=net,low=20"), "low has no effect"),
        (("--control", "canny,checkpoint=net,derive=no,high=20"), "high has no effect"),
        (("--control", "depth,checkpoint=net,derive=no,annotator=eye"), "annotator has no effect"),
        (("--control", "canny,checkpoint=net,weight=inf"), "--control cannot be read"),
        (("--control", "canny,checkpoint=net,low=inf"), "--control cannot be read"),
        (("--control", "canny,checkpoint=net,weight=9"), "not between"),
        (("--control", "canny,checkpoint=net,weight=much"), "'much' is not a number"),
        (("--control", "canny,checkpoint=net,start=0.9,end=0.2"), "--control cannot be read"),
        (("--control", "canny,checkpoint=net,image="), "nothing is given"),
        (("--control", "canny,checkpoint=net,image=5"), "5"),
        (("--control", "canny,checkpoint=net,mode=depth"), "'mode' is not known here"),
        (("--control", "canny,checkpoint=net,weight=1,weight=2"), "twice"),
        (("--control", "canny,net"), "Write NAME=VALUE"),
        (("--control", "canny,checkpoint=net,derive=perhaps"), "neither yes nor no"),
        (("--control", "pose,checkpoint=net"), "needs a download"),
        (("--adapter", "nowhere.safetensors"), "nowhere.safetensors"),
        (("--adapter", "ink.safetensors,weight=9"), "not between"),
        (("--adapter", "ink.safetensors,sha256=1"), "'sha256' is not known here"),
        (("--adapter", "look.safetensors"), "has no picture"),
        (("--adapter", "ink.safetensors", "--adapter", "ink.safetensors"), "there twice"),
        (("--adapter", "ink.safetensors", "--adapter", "copy.safetensors"), "there twice: ink and copy"),
        (("--adapter", "ink.safetensors,token=ink"), "token has no effect: ink is a LoRA"),
        (("--adapter", "ink.safetensors,image=own.png"), "image has no effect: ink is a LoRA"),
        (("--style", "Nobody's"), "Nobody's"),
        (("--no-first-stage",), "The first stage is off"),
    ],
)
def test_what_cannot_be_run_is_told_before_anything_is_loaded(generate, usual, tmp_path, arguments, said):
    given = [tmp_path / each if each == "own.png" else each for each in arguments]
    assert said in generate("out.png", *usual, *given)


def test_what_the_first_stage_does_not_do_when_it_is_off_is_told(generate, checkpoints, tmp_path):
    (tmp_path / "off.toml").write_text(
        'label = "Off"\ncheckpoint = "first"\n[defaults]\nfirst_stage = false\n[[chain]]\ncheckpoint = "other"\n'
    )
    usual = (tmp_path / "init.png", "--recipe", tmp_path / "off.toml", "--prompt", "a cat")
    assert "The first stage is off" in generate("out.png", *usual, "--strength", 0.4)


def test_a_picture_that_a_request_needs_and_that_is_not_here_is_named(generate, usual, tmp_path):
    control = f"depth,checkpoint=net,image={tmp_path / 'own.png'},derive=no"
    generate("one.png", *usual, "--control", control, "--mask", tmp_path / "mask.png")
    start = (tmp_path / "init.png", "--from", tmp_path / "one.png")
    assert "--mask" in generate("two.png", *start, "--control", control)
    assert "--control" in generate("two.png", *start, "--mask", tmp_path / "mask.png")
    make_picture((32, 32)).save(tmp_path / "small.png")
    said = generate("two.png", tmp_path / "small.png", "--from", tmp_path / "one.png", "--control", control)
    assert "mask of the request does not fit" in said
