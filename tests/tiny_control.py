"""Tiny ControlNets and annotators with random weights, and a Kandinsky 2.2 that reads depth, in the layout of the real
ones.
"""

from __future__ import annotations

import json
from pathlib import Path

from tiny_kandinsky import write_decoder

from desktop_app.core.conditions import ControlMode

SIDE = 32
"""Pixels, of what the annotators look at."""


def write_control_net(folder: Path, base: Path, *, seed: int = 6, variant: str | None = None) -> Path:
    """One for the checkpoint in ``base``, saved to ``folder``; a fresh one does nothing, so its last layers are drawn
    anew.
    """
    import torch
    from diffusers import ControlNetModel, UNet2DConditionModel

    torch.manual_seed(seed)
    unet = UNet2DConditionModel.from_pretrained(base / "unet")
    network = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 8, 8, 16))
    for parameter in network.parameters():
        if parameter.abs().sum() == 0:
            torch.nn.init.normal_(parameter, std=0.05)
    network.to(torch.float16 if variant == "fp16" else torch.float32).save_pretrained(folder, variant=variant)
    return folder


def write_depth_decoder(folder: Path, prior: str = "") -> Path:
    """Kandinsky 2.2's decoder that reads a map of depth beside the latents, of 2 million parameters."""
    write_decoder(folder, prior, channels=8)
    index = json.loads((folder / "model_index.json").read_text())
    config = json.loads((folder / "unet" / "config.json").read_text())
    return _rewrite_unet(folder, {**index, "_class_name": "KandinskyV22ControlnetPipeline"}, config)


def _rewrite_unet(folder: Path, index: dict, config: dict) -> Path:
    import torch
    from diffusers import UNet2DConditionModel

    torch.manual_seed(4)
    unet = UNet2DConditionModel.from_config({**config, "addition_embed_type": "image_hint"})
    unet.save_pretrained(folder / "unet")
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def write_annotator(folder: Path, kind: str) -> Path:
    """An annotator: "dpt", "depth-anything", "segformer", "upernet" or "vitpose"."""
    import torch

    torch.manual_seed(8)
    _WRITERS[kind](folder)
    return folder


def _write_dpt(folder: Path) -> None:
    from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessorPil

    config = DPTConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=SIDE,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        reassemble_factors=[4, 2, 1, 0.5],
    )
    DPTForDepthEstimation(config).save_pretrained(folder)
    DPTImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)


def _write_depth_anything(folder: Path) -> None:
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config, DPTImageProcessorPil

    backbone = Dinov2Config(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        mlp_ratio=2,
        image_size=28,
        patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=14,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        head_hidden_size=8,
        reassemble_factors=[4, 2, 1, 0.5],
    )
    DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    processor = DPTImageProcessorPil(
        size={"height": 28, "width": 28}, keep_aspect_ratio=True, ensure_multiple_of=14, resample=3
    )
    processor.save_pretrained(folder)


def _write_segformer(folder: Path) -> None:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessorPil

    config = SegformerConfig(
        num_labels=150,
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 8, 16, 16],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
    )
    SegformerForSemanticSegmentation(config).save_pretrained(folder)
    SegformerImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)


def _write_upernet(folder: Path) -> None:
    from transformers import (
        ConvNextConfig,
        SegformerImageProcessorPil,
        UperNetConfig,
        UperNetForSemanticSegmentation,
    )

    stages = ["stage1", "stage2", "stage3", "stage4"]
    backbone = ConvNextConfig(depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 16, 16], out_features=stages)
    config = UperNetConfig(
        backbone_config=backbone, num_labels=150, hidden_size=16, auxiliary_in_channels=16, auxiliary_channels=8
    )
    UperNetForSemanticSegmentation(config).save_pretrained(folder)
    SegformerImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)


def _write_vitpose(folder: Path) -> None:
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

    backbone = VitPoseBackboneConfig(
        image_size=[64, 48],
        patch_size=[16, 16],
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        mlp_ratio=2,
        out_indices=[2],
    )
    network = VitPoseForPoseEstimation(VitPoseConfig(backbone_config=backbone, num_labels=17))
    network.head.conv.bias.data.fill_(1.0)  # so that all points are likely enough to be drawn
    network.save_pretrained(folder)


_WRITERS = {
    "dpt": _write_dpt,
    "depth-anything": _write_depth_anything,
    "segformer": _write_segformer,
    "upernet": _write_upernet,
    "vitpose": _write_vitpose,
}
KINDS = {
    "dpt": ControlMode.DEPTH,
    "depth-anything": ControlMode.DEPTH,
    "segformer": ControlMode.SEGMENTATION,
    "upernet": ControlMode.SEGMENTATION,
    "vitpose": ControlMode.POSE,
}
"""What each of the annotators makes."""
