"""The kinds of control image: how each is called, and the ways to make one of a picture. For the window, the command
line and the checks, which load nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from desktop_app.core.conditions import ControlMode
from desktop_app.core.families import SD, SDXL

CONTROL_NET = "ControlNet"
ANNOTATOR = "Annotator"
"""What stands in the place of the family with a checkpoint that steers another one, or that only makes control
images.
"""

DEPTH_CLASSES = ("DPTForDepthEstimation", "DepthAnythingForDepthEstimation")
SEGMENTATION_CLASSES = ("UperNetForSemanticSegmentation", "SegformerForSemanticSegmentation")
POSE_CLASSES = ("VitPoseForPoseEstimation",)


@dataclass(frozen=True)
class Annotator:
    """``light`` is the name of the way that needs no download, empty where there is none, and ``light_note`` what the
    user is told with its picture; ``classes`` are those of transformers that an installed annotator may have, and
    ``annotators`` the REFs of usual ones. ``control_nets`` are the usual ones, by family of the checkpoint that they
    steer; ``needs`` says what can be done where there is no light way.
    """

    label: str
    tip: str
    light: str
    light_note: str = ""
    classes: tuple[str, ...] = ()
    annotators: tuple[str, ...] = ()
    control_nets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs: str = ""


ANNOTATORS: Mapping[ControlMode, Annotator] = MappingProxyType(
    {
        ControlMode.CANNY: Annotator(
            "Edges (Canny)",
            "Keeps every sharp edge of the picture; the thresholds say how many.",
            "Canny",
            control_nets={
                SD: ("lllyasviel/control_v11p_sd15_canny",),
                SDXL: ("diffusers/controlnet-canny-sdxl-1.0",),
            },
        ),
        ControlMode.DEPTH: Annotator(
            "Depth",
            "Keeps how near each thing is, and lets its look change.",
            "brightness as depth",
            "Depth was guessed from brightness: what is light counts as near.",
            classes=DEPTH_CLASSES,
            annotators=("depth-anything/Depth-Anything-V2-Small-hf", "Intel/dpt-large"),
            control_nets={
                SD: ("lllyasviel/control_v11f1p_sd15_depth",),
                SDXL: ("diffusers/controlnet-depth-sdxl-1.0",),
            },
        ),
        ControlMode.SCRIBBLE: Annotator(
            "Scribble, soft edges",
            "Keeps the main outlines, as if somebody had sketched them.",
            "strokes by difference of blurs",
            control_nets={SD: ("lllyasviel/control_v11p_sd15_scribble", "lllyasviel/control_v11p_sd15_softedge")},
        ),
        ControlMode.SEGMENTATION: Annotator(
            "Areas of things",
            "Keeps where sky, ground, people and things are, each an area of one colour.",
            "areas by colour",
            "Areas were made by colour: their colours do not say what is in them, as those of ADE20K do.",
            classes=SEGMENTATION_CLASSES,
            annotators=("openmmlab/upernet-convnext-tiny",),
            control_nets={SD: ("lllyasviel/control_v11p_sd15_seg",)},
        ),
        ControlMode.LINE_ART: Annotator(
            "Line art",
            "Keeps thin lines; best for drawings with dark lines on a light ground.",
            "dark lines",
            control_nets={SD: ("lllyasviel/control_v11p_sd15_lineart",)},
        ),
        ControlMode.TILE: Annotator(
            "Tile",
            "Keeps colours and shapes, and lets all details come new.",
            "blurred picture",
            control_nets={SD: ("lllyasviel/control_v11f1e_sd15_tile",)},
        ),
        ControlMode.POSE: Annotator(
            "Pose",
            "Keeps how a person stands, as a figure of sticks.",
            "",
            classes=POSE_CLASSES,
            annotators=("usyd-community/vitpose-base-simple",),
            control_nets={SD: ("lllyasviel/control_v11p_sd15_openpose",)},
            needs="Load a picture of a pose, drawn as OpenPose does, or download an annotator for poses.",
        ),
    }
)


def mode_of(class_name: str) -> ControlMode | None:
    """What an annotator of the class ``class_name`` of transformers makes; None where it is none that is known."""
    return next((mode for mode, annotator in ANNOTATORS.items() if class_name in annotator.classes), None)
