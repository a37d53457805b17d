"""Control images by checkpoints of transformers: depth, areas of things, poses. They run on the CPU, each once, and are
let go of at the end: the graphics card belongs to the checkpoints that paint.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from desktop_app.core.conditions import ControlMode
from desktop_app.core.control_modes import ANNOTATORS
from desktop_app.core.errors import RequestError
from desktop_app.engine.annotators_light import OnStep, depth_map
from desktop_app.engine.annotators_pose import draw_pose, find_points, show_figure
from desktop_app.engine.faults import loading, running
from desktop_app.store.control_checkpoints import read_annotator

ADE20K = bytes.fromhex(
    "787878 b47878 06e6e6 503232 04c803 787850 8c8c8c cc05ff e6e6e6 04fa07 e005ff ebff07 96053d 787846 08ff33 "
    "ff0652 8fff8c ccff04 ff3307 cc4603 0066c8 3de6fa ff0633 0b66ff ff0747 ff09e0 0907e6 dcdcdc ff095c 7009ff "
    "08ffd6 07ffe0 ffb806 0aff47 ff290a 07ffff e0ff08 6608ff ff3d06 ffc207 ff7a08 00ff14 ff0829 ff0599 0633ff "
    "eb0cff a09614 00a3ff 8c8c8c fa0a0f 14ff00 1fff00 ff1f00 ffe000 99ff00 0000ff ff4700 00ebff 00adff 1f00ff "
    "0bc8c8 ff5200 00fff5 003dff 00ff70 00ff85 ff0000 ffa300 ff6600 c2ff00 008fff 33ff00 0052ff 00ff29 00ffad "
    "0a00ff adff00 00ff99 ff5c00 ff00ff ff00f5 ff0066 ffad00 ff0014 ffb8b8 001fff 00ff3d 0047ff ff00cc 00ffc2 "
    "00ff52 000aff 0070ff 3300ff 00c2ff 007aff 00ffa3 ff9900 00ff0a ff7000 8fff00 5200ff a3ff00 ffeb00 08b8aa "
    "8500ff 00ff5c b800ff ff001f 00b8ff 00d6ff ff0070 5cff00 00e0ff 70e0ff 46b8a0 a300ff 9900ff 47ff00 ff00a3 "
    "ffcc00 ff008f 00ffeb 85ff00 ff00eb f500ff ff007a fff500 0abed4 d6ff00 00ccff 1400ff ffff00 0099ff 0029ff "
    "00ffcc 2900ff 29ff00 ad00ff 00f5ff 4700ff 7a00ff 00ffb8 005cff b8ff00 0085ff ffd600 19c2c2 66ff00 5c00ff "
)
"""Red, green and blue of each of ADE20K's 150 kinds of things, in their order: the ControlNets for it know these."""

_PROCESSORS = {
    "DPTForDepthEstimation": "DPTImageProcessorPil",
    "DepthAnythingForDepthEstimation": "DPTImageProcessorPil",
    "UperNetForSemanticSegmentation": "SegformerImageProcessorPil",
    "SegformerForSemanticSegmentation": "SegformerImageProcessorPil",
}
"""By class, what scales and normalises a picture for it; a pose is looked for without one, which would need scipy."""


_NEVER_USED = "neck.fusion_stage.layers.0.residual_layer1."
"""Begin of the names of weights that DPT has and does not run with; the published ones leave them out."""


def annotate(mode: ControlMode, folder: Path, picture: Image.Image, on_step: OnStep) -> Image.Image | None:
    """The control image that the checkpoint in ``folder`` makes of ``picture``; None for a depth that is all the same.

    Raises `RequestError` where it makes another kind, `CheckpointError`, `OutOfMemory`.
    """
    found = read_annotator(folder)
    if found.mode is not mode:
        kinds = f"{folder.name} is for: {ANNOTATORS[found.mode].label}"
        hint = f"Choose an annotator for: {ANNOTATORS[mode].label}"
        raise RequestError("The annotator makes another kind of control image", kinds, hint, param="controls")
    on_step(0, 0)
    with loading(folder):
        network, processor = _load(folder, found.class_name)
    with running(), _counted(network, on_step):
        if mode is ControlMode.POSE:
            return _pose(network, picture)
        return _depth(network, processor, picture) if mode is ControlMode.DEPTH else _areas(network, processor, picture)


def _load(folder: Path, class_name: str) -> tuple[Any, Any]:
    import torch
    import transformers

    options = {"local_files_only": True, "use_safetensors": True, "dtype": torch.float32, "output_loading_info": True}
    with _without_report():
        network, info = getattr(transformers, class_name).from_pretrained(str(folder), **options)
    missing = [name for name in info["missing_keys"] if not name.startswith(_NEVER_USED)]
    if missing:
        raise ValueError(f"it lacks {min(missing)}")
    if class_name not in _PROCESSORS:
        return network.eval(), None
    processor = getattr(transformers, _PROCESSORS[class_name])
    return network.eval(), processor.from_pretrained(str(folder), local_files_only=True)


@contextlib.contextmanager
def _without_report() -> Iterator[None]:
    """What is missing is looked at here; the library's log tells of that, and of what it does not do in parallel."""
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _counted(network: Any, on_step: OnStep) -> Iterator[None]:
    """Tell ``on_step`` of each layer that runs inside; the layers are what the network has lists of."""
    import torch

    lists = [part for part in network.modules() if isinstance(part, torch.nn.ModuleList)]
    layers = list({id(layer): layer for each in lists for layer in each}.values())
    done = 0

    def count(*_arguments: Any) -> None:
        nonlocal done
        done += 1
        on_step(min(done, len(layers)), len(layers))

    hooks = [layer.register_forward_pre_hook(count) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _run(network: Any, processor: Any, picture: Image.Image) -> Any:
    import torch

    with torch.inference_mode():
        return network(**processor(images=picture, return_tensors="pt"))


def _depth(network: Any, processor: Any, picture: Image.Image) -> Image.Image | None:
    made = _run(network, processor, picture)
    found = processor.post_process_depth_estimation(made, [picture.size[::-1]])[0]["predicted_depth"]
    return depth_map(found.numpy())


def _areas(network: Any, processor: Any, picture: Image.Image) -> Image.Image:
    import numpy

    made = _run(network, processor, picture)
    kinds = processor.post_process_semantic_segmentation(made, [picture.size[::-1]])[0]
    colours = numpy.frombuffer(ADE20K, dtype=numpy.uint8).reshape(-1, 3)
    return Image.fromarray(colours[kinds.numpy()])


def _pose(network: Any, picture: Image.Image) -> Image.Image:
    import torch

    config = network.config.backbone_config
    high, wide = config.image_size
    options = {"dataset_index": torch.tensor([0])} if config.num_experts > 1 else {}  # the expert for COCO's points
    with torch.inference_mode():
        heat = network(show_figure(picture, (wide, high)), **options).heatmaps[0]
    return draw_pose(picture.size, find_points(heat.numpy(), picture.size))
