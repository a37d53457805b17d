"""Control images: as the usual programs make them, the light way and by installed checkpoints."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy
import pytest
from PIL import Image, ImageDraw
from support import PROJECT, make_picture
from tiny_control import KINDS, write_annotator, write_control_net

from desktop_app.core.conditions import Control, ControlMode
from desktop_app.core.control_modes import ANNOTATORS
from desktop_app.core.errors import Cancelled, CheckpointError, RequestError
from desktop_app.engine.annotators import FLAT_NOTE, derive
from desktop_app.engine.annotators_pose import NECK, draw_pose, find_points

LIGHT = [mode for mode, annotator in ANNOTATORS.items() if annotator.light]


def make(mode: ControlMode, picture: Image.Image, annotator: Path | str = "", **values) -> tuple[Image.Image, str]:
    return derive(Control(mode, annotator=str(annotator), **values), picture, Path, lambda done, total: None)


@pytest.fixture
def quiet() -> Iterator[None]:
    """The library tells in its log what it does not do in parallel."""
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    yield
    logger.setLevel(level)


def ignore_steps(done: int, total: int) -> None:
    """Go on."""


@pytest.fixture(scope="module")
def annotator(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny one of this kind, written once."""
    root = tmp_path_factory.mktemp("annotators")
    return lambda kind: root / kind if (root / kind).exists() else write_annotator(root / kind, kind)


# The light ways ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("row", "low", "high"), [(0, 100, 200), (1, 20, 90), (2, 60, 160), (1, 90, 20)])
def test_edges_are_those_of_opencv_pixel_for_pixel(row, low, high):
    # Each row has a picture of noise, of shapes or of soft waves, and what cv2.Canny (OpenCV 5.0) makes of it.
    rows = Image.open(PROJECT / "tests" / "data" / "canny.png").convert("RGB")
    picture, expected = (rows.crop((left, 64 * row, left + 64, 64 * row + 64)) for left in (0, 64))
    assert make(ControlMode.CANNY, picture, low=low, high=high)[0].tobytes() == expected.tobytes()


@pytest.mark.parametrize("mode", LIGHT)
@pytest.mark.parametrize("size", [(96, 64), (9, 200), (1, 1)])
def test_a_control_image_has_the_size_of_its_picture(mode, size):
    made, note = make(mode, make_picture(size))
    assert (made.size, made.mode) == (size, "RGB")
    assert note in (ANNOTATORS[mode].light_note, FLAT_NOTE)


@pytest.mark.parametrize("mode", [ControlMode.CANNY, ControlMode.SCRIBBLE, ControlMode.LINE_ART])
def test_lines_are_white_on_black(mode):
    page = Image.new("RGB", (96, 96), "white")
    ImageDraw.Draw(page).rectangle((20, 20, 75, 75), outline="black", width=2)
    made = numpy.asarray(make(mode, page)[0].convert("L"))
    assert made[18:24, 48].max() > 100
    assert not made[40:56, 40:56].any()


@pytest.mark.parametrize("mode", [ControlMode.CANNY, ControlMode.SCRIBBLE, ControlMode.LINE_ART])
def test_a_picture_without_anything_has_no_lines(mode):
    assert make(mode, Image.new("RGB", (40, 40), "red"))[0].getbbox() is None


def test_what_is_light_counts_as_near():
    picture = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
    made, note = make(ControlMode.DEPTH, picture)
    column = numpy.asarray(made)[:, 32, 0].astype(int)
    assert (column[0], column[-1]) == (0, 255)
    assert (numpy.diff(column) >= 0).all()
    assert "brightness" in note


def test_a_picture_of_one_colour_has_no_depth_and_says_so():
    made, note = make(ControlMode.DEPTH, Image.new("RGB", (40, 24), "white"))
    assert made.getcolors() == [(40 * 24, (128, 128, 128))]
    assert note == FLAT_NOTE


def test_a_tile_keeps_colours_and_loses_details():
    picture = make_picture((128, 128))
    noisy = Image.effect_noise((128, 128), 90).convert("RGB")
    made = numpy.asarray(make(ControlMode.TILE, noisy)[0], dtype=float)
    assert made.std() < numpy.asarray(noisy, dtype=float).std() / 4
    shrunk = [numpy.asarray(each.resize((8, 8), Image.Resampling.BOX), dtype=float) for each in (picture, noisy)]
    again = numpy.asarray(make(ControlMode.TILE, picture)[0].resize((8, 8), Image.Resampling.BOX), dtype=float)
    assert abs(again - shrunk[0]).mean() < 8


def test_areas_have_few_colours_and_say_that_these_mean_nothing():
    made, note = make(ControlMode.SEGMENTATION, make_picture((96, 96)))
    assert len(made.getcolors() or []) <= 12
    assert "ADE20K" in note


def test_a_pose_without_an_annotator_says_what_to_load():
    with pytest.raises(RequestError, match="download") as caught:
        make(ControlMode.POSE, make_picture())
    assert caught.value.param == "controls"
    assert "OpenPose" in caught.value.hint


def test_a_picture_that_is_a_control_image_already_stays_as_it_is():
    picture = make_picture((40, 40))
    assert make(ControlMode.POSE, picture, derive=False) == (picture, "")


@pytest.mark.parametrize("mode", LIGHT)
def test_every_light_way_tells_its_steps_and_stops_when_told(mode):
    told = []
    derive(Control(mode), make_picture((96, 64)), Path, lambda *step: told.append(step))
    assert told[-1][0] == told[-1][1] > 0
    assert [done / total for done, total in told] == sorted(done / total for done, total in told)

    def stop(done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        derive(Control(mode), make_picture(), Path, stop)


# Installed annotators ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_annotator_makes_a_control_image_and_tells_its_layers(annotator, kind):
    told = []
    control = Control(KINDS[kind], annotator=str(annotator(kind)))
    made, note = derive(control, make_picture((100, 60)), Path, lambda *step: told.append(step))
    assert (made.size, made.mode, note) == ((100, 60), "RGB", "")
    assert made.getbbox()
    assert told[0] == (0, 0)
    assert told[-1][0] == told[-1][1] > 1


@pytest.mark.parametrize("kind", ["dpt", "depth-anything"])
def test_depth_is_that_of_the_librarys_own_pipeline(annotator, quiet, kind):
    from transformers import DPTImageProcessorPil, pipeline

    folder, picture = str(annotator(kind)), make_picture((100, 60))
    estimate = pipeline(
        "depth-estimation", model=folder, image_processor=DPTImageProcessorPil.from_pretrained(folder), device="cpu"
    )
    assert make(ControlMode.DEPTH, picture, folder)[0].tobytes() == estimate(picture)["depth"].convert("RGB").tobytes()


def test_an_annotator_that_sees_no_depth_says_so(annotator, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = write_annotator(tmp_path / "flat", "dpt")
    weights = load_file(folder / "model.safetensors")
    last = [name for name in weights if name.startswith("head.head.4.")]
    save_file({**weights, **{name: weights[name] * 0 for name in last}}, folder / "model.safetensors")
    made, note = make(ControlMode.DEPTH, make_picture((40, 24)), folder)
    assert made.getcolors() == [(40 * 24, (128, 128, 128))]
    assert note == FLAT_NOTE


@pytest.mark.parametrize(
    ("name", "is_refused"), [("residual_layer1.convolution1.weight", False), ("projection.weight", True)]
)
def test_weights_that_are_missing_are_told_but_those_that_are_never_used(tmp_path, name, is_refused):
    from safetensors.torch import load_file, save_file

    folder = write_annotator(tmp_path / "part", "dpt")
    weights = load_file(folder / "model.safetensors")
    del weights[f"neck.fusion_stage.layers.0.{name}"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    if is_refused:
        with pytest.raises(CheckpointError, match="it lacks"):
            make(ControlMode.DEPTH, make_picture(), folder)
    else:
        assert make(ControlMode.DEPTH, make_picture(), folder)[0].size == make_picture().size


@pytest.mark.parametrize("kind", ["segformer", "upernet"])
def test_things_have_the_colours_of_ade20k(annotator, quiet, kind):
    import torch
    import transformers

    from desktop_app.engine.annotators_learned import ADE20K

    folder, picture = annotator(kind), make_picture((64, 64))
    network = getattr(
        transformers, "UperNetForSemanticSegmentation" if kind == "upernet" else "SegformerForSemanticSegmentation"
    )
    pixels = transformers.SegformerImageProcessorPil.from_pretrained(folder)(picture, return_tensors="pt")
    with torch.inference_mode():
        seen = network.from_pretrained(folder)(**pixels).logits
    kinds = torch.nn.functional.interpolate(seen, (64, 64), mode="bilinear")[0].argmax(0).numpy()
    made = numpy.asarray(make(ControlMode.SEGMENTATION, picture, folder)[0])
    assert len(ADE20K) == 150 * 3
    assert (made == numpy.frombuffer(ADE20K, dtype=numpy.uint8).reshape(150, 3)[kinds]).all()


def test_an_annotator_for_another_mode_and_a_control_net_are_refused(annotator, tiny_checkpoint, tmp_path):
    with pytest.raises(RequestError, match="another kind") as caught:
        make(ControlMode.DEPTH, make_picture(), annotator("segformer"))
    assert caught.value.param == "controls"
    with pytest.raises(CheckpointError, match="no annotator"):
        make(ControlMode.DEPTH, make_picture(), write_control_net(tmp_path / "net", tiny_checkpoint))


def test_a_cancel_stops_an_annotator_between_its_layers_and_leaves_it_as_it_was(annotator):
    control = Control(ControlMode.DEPTH, annotator=str(annotator("dpt")))

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        derive(control, make_picture(), Path, stop)
    assert derive(control, make_picture(), Path, ignore_steps)[0].getbbox()


# Poses -------------------------------------------------------------------------------------------


def test_points_of_a_pose_lie_where_they_are_likeliest():
    heat = numpy.zeros((17, 64, 48), dtype=numpy.float32)
    for number in range(17):
        heat[number, 31 + number // 4, 23 + number % 4] = 0.9
    heat[16] = 0.1
    points = find_points(heat, (300, 400))
    assert points[0] == pytest.approx((300 * (0.5 + 1.25 * (23 / 47 - 0.5)), 400 * (0.5 + 1.25 * (31 / 63 - 0.5))))
    assert points[10] is None
    assert points[NECK] == pytest.approx(tuple(numpy.mean([points[2], points[5]], axis=0)))


def test_a_pose_is_drawn_in_the_colours_of_openpose_without_what_is_not_seen():
    points = [None] * 18
    points[NECK], points[2], points[5] = (50, 40), (20, 40), (80, 40)
    picture = draw_pose((100, 100), points)
    assert picture.getpixel((35, 40)) == (153, 0, 0)
    assert picture.getpixel((65, 40)) == (153, 51, 0)
    assert picture.getpixel((20, 40)) == (255, 170, 0)
    assert picture.crop((0, 50, 100, 100)).getbbox() is None
