"""IP-Adapters: pictures that a denoiser looks at beside the prompt, for the time of a call."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from desktop_app.core.adapter import AdapterInfo
from desktop_app.core.conditions import Adapter
from desktop_app.core.errors import ImageError, RequestError
from desktop_app.core.image import flatten, load_image
from desktop_app.core.image_ref import ImageRef
from desktop_app.core.memory import MemoryPlan
from desktop_app.core.request import hash_pixels
from desktop_app.engine.faults import loading_adapter, quiet
from desktop_app.engine.offload import Offload
from desktop_app.store.any_checkpoint import Stamp, stamp_of


class Encoders:
    """The image encoder that was used last: it is large, and the next call will want it again."""

    def __init__(self) -> None:
        self._key: tuple[Path, Stamp] | None = None
        self._encoder: Any = None

    def get(self, folder: Path, dtype: Any, device: Any) -> Any:
        """The one in ``folder``, loaded if need be."""
        key = (folder, stamp_of(folder))
        if self._key != key:
            from transformers import CLIPVisionModelWithProjection

            self._key, self._encoder = None, None
            options = {"dtype": dtype, "local_files_only": True, "use_safetensors": True}
            encoder, info = CLIPVisionModelWithProjection.from_pretrained(
                str(folder), output_loading_info=True, **options
            )
            if info["missing_keys"]:
                raise ValueError(f"the image encoder lacks {min(info['missing_keys'])}")
            self._key, self._encoder = key, encoder.to(device)
        return self._encoder


@dataclass(frozen=True)
class _Before:
    """What of the denoiser and of the pipeline an IP-Adapter changes."""

    processors: dict[str, Any]
    projection: Any
    projection_type: Any
    image_encoder: Any
    feature_extractor: Any


@contextlib.contextmanager
def looking_at(
    offload: Offload, encoders: Encoders, pipeline: Any, pictures: Sequence[tuple[Adapter, AdapterInfo]]
) -> Iterator[dict[str, Any]]:
    """Inside, the denoiser looks at ``pictures``; the arguments for the call. Raises `RequestError`, `ImageError`,
    `OutOfMemory`.

    Behind it the denoiser is as it was: with an IP-Adapter and no picture it would fail, in every pipeline that shares
    it.
    """
    if not pictures:
        yield {}
        return
    images = [_load_picture(adapter, info) for adapter, info in pictures]
    labels = ", ".join(info.label for _adapter, info in pictures)
    before = _write_down(pipeline)
    try:
        with offload.lifted(pipeline), loading_adapter(labels), quiet():
            device = pipeline.unet.device if offload.plan is MemoryPlan.RESIDENT else "cpu"
            folder = _encoder_folder(pictures)
            pipeline.register_modules(image_encoder=encoders.get(folder, pipeline.unet.dtype, device))
            layers = [_read_layers(info.path) for _adapter, info in pictures]
            names = [""] * len(layers)
            pipeline.load_ip_adapter(layers, subfolder=names, weight_name=names)
            pipeline.set_ip_adapter_scale([adapter.weight for adapter, _info in pictures])
        yield {"ip_adapter_image": images}
    finally:
        with offload.lifted(pipeline):
            _take_back(pipeline, before)


def _encoder_folder(pictures: Sequence[tuple[Adapter, AdapterInfo]]) -> Path:
    folders = {info.image_encoder: info for _adapter, info in pictures}
    for folder, info in folders.items():
        if folder is None:
            hint = "Put the folder image_encoder from where it was published beside its file."
            raise RequestError("The image encoder is missing", info.label, hint, param="adapters")
    if len(folders) > 1:
        names = " and ".join(info.label for info in folders.values())
        hint = "Switch one of them off."
        raise RequestError("These IP-Adapters need different image encoders", names, hint, param="adapters")
    folder = next(iter(folders))
    assert folder is not None
    return folder


def _read_layers(path: Path) -> dict[str, dict[str, Any]]:
    """As `load_ip_adapter` itself reads them."""
    from safetensors.torch import load_file

    layers: dict[str, dict[str, Any]] = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in load_file(path).items():
        part, _dot, rest = name.partition(".")
        if part in layers:
            layers[part][rest] = tensor
    return layers


def _load_picture(adapter: Adapter, info: AdapterInfo) -> Image.Image:
    ref = adapter.image
    if ref is None:
        hint = "Give it a picture to look at, or switch it off."
        raise RequestError("An IP-Adapter has no picture", info.label, hint, param="adapters")
    picture = load_image(ref.path, ref.name)
    _check_same(picture, ref)
    return flatten(picture)


def _check_same(picture: Image.Image, ref: ImageRef) -> None:
    if hash_pixels(picture) != ref.sha256:
        title = "The picture of an IP-Adapter has changed since this was asked for"
        raise ImageError(title, ref.name or ref.path.name, "Open the picture again.")


def _write_down(pipeline: Any) -> _Before:
    unet = pipeline.unet
    return _Before(
        processors=dict(unet.attn_processors),
        projection=unet.encoder_hid_proj,
        projection_type=unet.config.encoder_hid_dim_type,
        image_encoder=getattr(pipeline, "image_encoder", None),
        feature_extractor=getattr(pipeline, "feature_extractor", None),
    )


def _take_back(pipeline: Any, before: _Before) -> None:
    """The very processors, since they may be others than the usual ones, which `unload_ip_adapter` would put there."""
    pipeline.unload_ip_adapter()
    pipeline.unet.set_attn_processor(dict(before.processors))
    pipeline.unet.encoder_hid_proj = before.projection
    pipeline.unet.config.encoder_hid_dim_type = before.projection_type
    if hasattr(pipeline.unet, "text_encoder_hid_proj"):  # else Kolors' own would not be found again the next time
        del pipeline.unet.text_encoder_hid_proj
    pipeline.register_modules(image_encoder=before.image_encoder, feature_extractor=before.feature_extractor)
