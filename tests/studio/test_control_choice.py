"""What is offered for a control image, and what is chosen for a start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.conditions import Control, ControlMode
from desktop_app.studio.control_choice import annotators, control_nets, missing_refs, suggested, usual_mode

SD1 = CheckpointInfo("sd", "SD", Path("sd"), "Stable Diffusion", 512, 8, 77, None, 0, text_width=768)
SDXL = replace(SD1, ref="xl", family="Stable Diffusion XL", text_width=2048)
KANDINSKY = replace(SD1, ref="k", family="Kandinsky 2.2 depth", text_width=0)
CANNY = Control(ControlMode.CANNY)
USUAL = "lllyasviel/control_v11p_sd15_canny"


def net(ref: str, family: str = "Stable Diffusion", width: int = 768) -> CheckpointInfo:
    name = ref.rpartition("/")[2]
    return replace(SD1, ref=ref, label=name, family="ControlNet", kinds=(), text_width=width, fits=(family,))


def annotator(ref: str, mode: ControlMode) -> CheckpointInfo:
    return replace(SD1, ref=ref, label=ref, family="Annotator", kinds=(), mode=mode)


def test_those_that_fit_come_first_then_the_usual_ones_then_the_others_with_their_reason():
    infos = [net("/nets/xl", "Stable Diffusion XL", 2048), net("/nets/mine")]
    choices = control_nets(CANNY, SD1, infos)
    assert [choice.ref for choice in choices] == ["/nets/mine", USUAL, "/nets/xl"]
    assert [choice.is_missing for choice in choices] == [False, True, False]
    assert [bool(choice.reason) for choice in choices] == [False, False, True]
    assert "Stable Diffusion XL" in choices[2].reason


def test_the_usual_ones_are_those_for_the_family_of_the_checkpoint():
    assert [choice.ref for choice in control_nets(CANNY, SDXL, [])] == ["diffusers/controlnet-canny-sdxl-1.0"]
    assert control_nets(CANNY, replace(SD1, text_width=1024), []) == ()


def test_the_one_in_use_is_offered_known_or_not():
    used = replace(CANNY, checkpoint="/somewhere/net")
    assert control_nets(used, SD1, [])[-1].ref == "/somewhere/net"


def test_the_light_way_is_named_and_comes_first():
    choices = annotators(Control(ControlMode.DEPTH), [annotator("/a/depth", ControlMode.DEPTH)])
    assert [choice.ref for choice in choices[:2]] == ["", "/a/depth"]
    assert choices[0].label == "brightness as depth"


def test_annotators_of_other_kinds_are_not_offered():
    choices = annotators(Control(ControlMode.POSE), [annotator("/a/depth", ControlMode.DEPTH)])
    assert [choice.is_missing for choice in choices] == [True]


@pytest.mark.parametrize(
    ("infos", "expected"),
    [([], USUAL), ([net("/nets/depth"), net("/nets/my-canny")], "/nets/my-canny"), ([net("/nets/depth")], USUAL)],
)
def test_one_that_is_here_and_named_for_it_is_chosen_before_the_usual_one(infos, expected):
    assert suggested(CANNY, SD1, infos).checkpoint == expected


def test_another_kind_takes_another_control_net_and_the_light_way():
    control = Control(ControlMode.DEPTH, checkpoint=USUAL, annotator="/a/canny")
    changed = suggested(control, SD1, [])
    assert changed.checkpoint == "lllyasviel/control_v11f1p_sd15_depth"
    assert changed.annotator == ""


def test_where_there_is_no_light_way_an_annotator_is_chosen():
    assert suggested(Control(ControlMode.POSE), SD1, []).annotator == "usyd-community/vitpose-base-simple"


def test_a_checkpoint_that_reads_control_images_itself_gets_no_control_net():
    assert usual_mode(KANDINSKY) is ControlMode.DEPTH
    assert suggested(Control(ControlMode.DEPTH, checkpoint=USUAL), KANDINSKY, []).checkpoint == ""
    assert missing_refs(Control(ControlMode.DEPTH, checkpoint=USUAL), KANDINSKY, []) == ()


def test_what_is_not_here_and_can_be_fetched_is_missing():
    control = Control(ControlMode.DEPTH, checkpoint=USUAL, annotator="Intel/dpt-large")
    assert missing_refs(control, SD1, []) == (USUAL, "Intel/dpt-large")
    assert missing_refs(control, SD1, [net(USUAL)]) == ("Intel/dpt-large",)
    assert missing_refs(replace(control, derive=False), SD1, []) == (USUAL,)
    assert missing_refs(Control(ControlMode.DEPTH, checkpoint="/folder/net"), SD1, []) == ()
