"""Pixel upscalers: networks of ESRGAN's kind, run tile by tile, by the library spandrel, which is an optional extra.

A tile of 512 pixels takes 1.6 GB at scale 4 in float16: three tensors of 64 channels and 2048 x 2048 pixels are alive
at once (Real-ESRGAN x4plus), and the weights are 34 MB. Where that is too much, tiles get smaller.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from PIL import Image

from desktop_app.core.errors import CheckpointError, DeviceError, OutOfMemory
from desktop_app.engine.faults import loading, running
from desktop_app.engine.tiles import Tiling
from desktop_app.store.pixel_upscalers import Architecture, PixelUpscalerFile, read_pixel_upscaler

TILE = 512
LEAST_TILE = 64
OVERLAP = 32
"""Pixels of the given picture. Tiles overlap by so many at least."""

WHOLE_NOTE = "Half precision gave values that are not numbers; the picture was enlarged in full precision."

OnTile = Callable[[int, int], None]
"""Is told how many tiles are done, and how many there are; may raise to end the run."""


class PixelUpscaler:
    """Makes pictures ``scale`` times as large on each side. One thread.

    ``note`` is a sentence on how the last picture was made, where that was in another way than asked for.
    """

    def __init__(self, network: Any, scale: int) -> None:
        self.scale = scale
        self.note = ""
        self._network = network
        self._is_whole = False

    def upscale(
        self,
        picture: Image.Image,
        on_tile: OnTile,
        tile: int = TILE,
        *,
        check: Callable[[], None] = lambda: None,
    ) -> Image.Image:
        """The RGB ``picture``, exactly ``scale`` times as large. One that is no larger than ``tile`` is made at once;
        of others all tiles overlap and fade into each other.

        ``check`` is called within the tiles and may raise, as ``on_tile`` may. Raises `OutOfMemory` where no tile is
        small enough, `DeviceError` where the network makes no numbers.
        """
        self.note = WHOLE_NOTE if self._is_whole else ""
        while True:
            try:
                return self._upscale(picture, on_tile, tile, check)
            except OutOfMemory as e:
                full = OutOfMemory(e.title, e.detail, e.hint)  # another one: in the frames of this are the tensors
            if min(tile, max(picture.size)) <= LEAST_TILE:
                raise full
            tile = max(min(tile, max(picture.size)) // 2, LEAST_TILE)
            self.note = f"Memory was full; the picture was enlarged in tiles of {tile} pixels."

    def _take_full_precision(self) -> None:
        """From now on, as half gives no numbers. Raises `DeviceError` where it is that already."""
        import torch

        if self._network.dtype == torch.float32:
            raise DeviceError(
                "The picture came out without content",
                "The upscaler gave values that are not numbers.",
                "The file may be damaged: fetch it again, or choose another upscaler.",
            )
        self._network.float()
        self._is_whole, self.note = True, WHOLE_NOTE

    def _upscale(self, picture: Image.Image, on_tile: OnTile, tile: int, check: Callable[[], None]) -> Image.Image:
        import numpy

        tiling = Tiling(picture.size, self.scale, tile, min(OVERLAP, tile // 2))
        with running(), _calling(self._network.model, check):
            while (canvas := self._run_tiles(picture, tiling, on_tile)) is None:
                self._take_full_precision()
            canvas *= 255
            return Image.fromarray(canvas.round(out=canvas).clip(0, 255, out=canvas).astype(numpy.uint8))

    def _run_tiles(self, picture: Image.Image, tiling: Tiling, on_tile: OnTile) -> Any | None:
        """Pixels of the whole; None as soon as some are not numbers."""
        canvas = tiling.canvas()
        for number, each in enumerate(tiling, start=1):
            made = self._run(picture.crop(each.box))
            if made is None:
                return None
            tiling.lay(canvas, each, made)
            on_tile(number, len(tiling))
        return canvas

    def _run(self, picture: Image.Image) -> Any | None:
        """Pixels (height, width, 3) from 0 to 1 of ``picture``; None where they are not numbers."""
        import numpy
        import torch

        pixels = torch.from_numpy(numpy.asarray(picture).copy()).permute(2, 0, 1)[None].float() / 255
        made = self._network(pixels.to(self._network.device, self._network.dtype))[0].float().cpu()
        return made.permute(1, 2, 0).numpy() if torch.isfinite(made).all() else None


def load_pixel_upscaler(path: Path, device: str, dtype: str) -> PixelUpscaler:
    """The network in the .safetensors file ``path``, on ``device`` in the number format ``dtype`` ("float16").

    Raises `CheckpointError` where spandrel is not installed, and where the file is no pixel upscaler or one for other
    pictures; `OutOfMemory`.
    """
    import torch

    found = read_pixel_upscaler(path)
    architecture = _architecture(found.architecture)
    with loading(path):
        network = architecture.load(_read_weights(path, found))
        if (network.scale, network.input_channels, network.output_channels) != (found.scale, 3, 3):
            raise ValueError(f"it makes {network.output_channels} channels at scale {network.scale}")
        network.to(torch.device(device), getattr(torch, dtype)).eval()
        return PixelUpscaler(network, found.scale)


def _read_weights(path: Path, found: PixelUpscalerFile) -> dict[str, Any]:
    from safetensors.torch import load_file

    return {name.removeprefix(found.prefix): weight for name, weight in load_file(path).items()}


def _architecture(architecture: Architecture) -> Any:
    """What of spandrel loads networks of this kind. Raises `CheckpointError` where it is not installed."""
    try:
        with _without_torchvision():
            from spandrel.architectures import ESRGAN, Compact
    except ImportError as e:
        hint = 'Install it in the folder of Underpaint\'s sources by: pip install ".[upscalers]"'
        raise CheckpointError("Pixel upscalers need one more package", str(e), hint) from e
    return ESRGAN.ESRGANArch() if architecture is Architecture.ESRGAN else Compact.CompactArch()


@contextlib.contextmanager
def _without_torchvision() -> Iterator[None]:
    """Let spandrel be imported where there is no torchvision, or one that was built for another torch.

    Two of its networks, which paint over masks and mend faces, take three functions from there when they are imported;
    none that enlarges pictures does (spandrel 0.4.2). Nobody else gets to see what stands in for them.
    """
    try:
        import torchvision.transforms.functional  # noqa: F401
    except (ImportError, RuntimeError):  # the latter where its operators fit another torch
        names = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
        before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "torchvision"}
        sys.modules.update({name: ModuleType(name) for name in names})
        functional: Any = sys.modules[names[-1]]
        functional.InterpolationMode = functional.rotate = functional.normalize = None
        try:
            yield
        finally:
            for name in names:
                del sys.modules[name]
            sys.modules.update(before)
    else:
        yield


@contextlib.contextmanager
def _calling(network: Any, check: Callable[[], None]) -> Iterator[None]:
    """Call ``check`` before each layer of ``network``: a large tile takes minutes without a graphics card."""
    layers = [layer for layer in network.modules() if not any(layer.children())]
    hooks = [layer.register_forward_pre_hook(lambda *_: check()) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
