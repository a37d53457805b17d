"""Whether control images fit, before anything is loaded; and the table of their kinds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support import PROJECT

from desktop_app.core.catalog import CATALOG_NAME, read_catalog
from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.conditions import Control, ControlMode
from desktop_app.core.control_modes import ANNOTATOR, ANNOTATORS, CONTROL_NET, mode_of
from desktop_app.core.controls import check_control_stage, check_controls, unused_by_controls
from desktop_app.core.errors import CheckpointError, CheckpointMissing, RequestError
from desktop_app.core.families import SD, SDXL, SDXL_REFINER, family_named
from desktop_app.core.image_ref import ImageRef
from desktop_app.core.request import Stage, StageKind

CANNY = Control(ControlMode.CANNY, "net")
DEPTH = Control(ControlMode.DEPTH)
READER = "Kandinsky 2.2 depth"


def info(ref: str, family: str, **values) -> CheckpointInfo:
    return CheckpointInfo(ref, ref, Path(ref), family, 512, 8, 77, None, 1, (), **values)


KNOWN = {
    "sd": info("sd", SD, text_width=768),
    "sd2": info("sd2", SD, text_width=1024),
    "xl": info("xl", SDXL, text_width=2048),
    "refiner": info("refiner", SDXL_REFINER, text_width=1280),
    "k": info("k", READER),
    "net": info("net", CONTROL_NET, text_width=768, fits=(SD,)),
    "net2": info("net2", CONTROL_NET, text_width=1024, fits=(SD,)),
    "netxl": info("netxl", CONTROL_NET, text_width=2048, fits=(SDXL,)),
    "depth": info("depth", ANNOTATOR, mode=ControlMode.DEPTH),
}


def describe(ref: str) -> CheckpointInfo:
    if ref == "damaged":
        raise CheckpointError("The checkpoint is damaged", "config.json", "Fetch it again.")
    if ref not in KNOWN:
        raise CheckpointMissing("The checkpoint is not on this machine", ref, "Download it.", ref)
    return KNOWN[ref]


def check(base: str, *controls: Control, **options) -> None:
    check_controls(controls, KNOWN[base], family_named(KNOWN[base].family), describe, **options)


@pytest.mark.parametrize(("base", "net"), [("sd", "net"), ("sd2", "net2"), ("xl", "netxl")])
def test_a_control_net_of_the_same_family_fits(base, net):
    check(base, replace(CANNY, checkpoint=net), replace(DEPTH, checkpoint=net, annotator="depth"))


@pytest.mark.parametrize(
    ("base", "net", "words"),
    [
        ("sd", "netxl", "netxl is for Stable Diffusion XL, sd is Stable Diffusion 1"),
        ("sd", "net2", "net2 is for Stable Diffusion 2, sd is Stable Diffusion 1; it reads 1024 numbers"),
        ("xl", "net", "net is for Stable Diffusion 1, xl is Stable Diffusion XL"),
        ("sd", "sd2", "no ControlNet"),
        ("sd", "depth", "of the family Annotator"),
        ("sd", "none", "ControlNet: The checkpoint is not on this machine"),
        ("sd", "damaged", "is damaged"),
        ("sd", "", "has no ControlNet"),
        ("refiner", "netxl", "no control images for this family"),
    ],
)
def test_a_control_net_that_cannot_steer_the_checkpoint_is_refused_with_the_reason(base, net, words):
    with pytest.raises(RequestError) as caught:
        check(base, CANNY, replace(CANNY, checkpoint=net))
    assert words in str(caught.value)
    assert caught.value.param == "controls"
    assert caught.value.hint


def test_where_no_control_net_is_made_for_a_checkpoint_another_checkpoint_is_the_way_out():
    odd = replace(KNOWN["sd"], text_width=192)
    with pytest.raises(RequestError) as caught:
        check_controls((replace(CANNY, checkpoint=""),), odd, family_named(SD), describe)
    assert "choose a checkpoint of those" in caught.value.hint


@pytest.mark.parametrize(
    ("control", "words"),
    [
        (replace(CANNY, annotator="depth"), "depth is for: Depth"),
        (replace(DEPTH, checkpoint="net", annotator="sd"), "of the family Stable Diffusion"),
        (replace(DEPTH, checkpoint="net", annotator="none"), "Annotator: The checkpoint is not on this machine"),
        (Control(ControlMode.POSE, "net"), "needs a download"),
    ],
)
def test_an_annotator_that_makes_something_else_is_refused(control, words):
    with pytest.raises(RequestError, match=words):
        check("sd", control)
    check("sd", replace(control, derive=False))


def test_what_is_off_is_not_looked_at():
    for base in ("sd", "refiner"):
        check(base, replace(CANNY, checkpoint="damaged", is_on=False))


def test_without_an_init_image_a_control_image_needs_a_picture_of_its_own():
    with pytest.raises(RequestError, match="no picture"):
        check("sd", CANNY, has_init_image=False)
    check("sd", replace(CANNY, image=ImageRef("00", (8, 8), Path("x"))), has_init_image=False)


def test_a_checkpoint_that_reads_control_images_itself_needs_one_of_the_right_kind():
    check("k", DEPTH, replace(CANNY, is_on=False))
    for controls, words in (((), "none is on"), ((DEPTH, DEPTH), "2 are on"), ((CANNY,), "does not read")):
        with pytest.raises(RequestError, match=words):
            check("k", *controls)


def test_what_such_a_checkpoint_does_not_use_is_told():
    family = family_named(READER)
    assert unused_by_controls([DEPTH], family) == ()
    told = unused_by_controls([replace(DEPTH, checkpoint="net", weight=0.5)], family)
    assert [sentence.partition(".")[0] for sentence in told] == [
        "The ControlNet is not used",
        "Weight, start and end of the control image are not used",
    ]
    assert unused_by_controls([replace(CANNY, weight=0.5)], family_named(SD)) == ()


@pytest.mark.parametrize(
    ("family", "stage", "is_refused"),
    [
        (SDXL, Stage(StageKind.TEXT_TO_IMAGE, "xl", "", end=0.8), False),
        (SDXL, Stage(StageKind.IMAGE_TO_IMAGE, "xl", ""), False),
        (SDXL, Stage(StageKind.IMAGE_TO_IMAGE, "xl", "", end=0.8), True),
        (f"{SD} inpainting", Stage(StageKind.INPAINT, "sd", ""), False),
        (f"{SD} inpainting", Stage(StageKind.IMAGE_TO_IMAGE, "sd", ""), True),
        (READER, Stage(StageKind.INPAINT, "k", ""), False),
    ],
)
def test_a_stage_that_cannot_follow_control_images_is_refused(family, stage, is_refused):
    stage = replace(stage, controls=(CANNY,))
    if is_refused:
        with pytest.raises(RequestError) as caught:
            check_control_stage(stage, family_named(family))
        assert caught.value.param == "controls"
    else:
        check_control_stage(stage, family_named(family))
    check_control_stage(replace(stage, controls=()), family_named(family))


# The table ---------------------------------------------------------------------------------------


def test_every_mode_says_how_a_control_image_is_made():
    assert set(ANNOTATORS) == set(ControlMode)
    for annotator in ANNOTATORS.values():
        assert annotator.label
        assert annotator.tip.endswith(".")
        assert annotator.light or annotator.needs
        assert annotator.control_nets[SD]


def test_all_that_the_table_names_is_in_the_catalog():
    entries = {entry.ref: entry for entry in read_catalog(PROJECT / "resources" / CATALOG_NAME)}
    for annotator in ANNOTATORS.values():
        assert all(entries[ref].family == ANNOTATOR for ref in annotator.annotators)
        for family, refs in annotator.control_nets.items():
            assert all(entries[ref].family == family for ref in refs)


def test_an_annotator_is_known_by_its_class():
    assert mode_of("DPTForDepthEstimation") is ControlMode.DEPTH
    assert mode_of("UNet2DConditionModel") is None
    assert mode_of("") is None
