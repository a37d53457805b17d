"""A tiny checkpoint in memory with adapters of every kind, and the calls that tests of them compare."""

from __future__ import annotations

import numpy
from support import make_picture
from tiny_adapters import LORA_FORMATS, write_ip_adapter, write_lora, write_textual_inversion

from desktop_app.core.conditions import Adapter, AdapterKind
from desktop_app.core.engine import EngineOptions
from desktop_app.core.families import SD, SDXL, family_named
from desktop_app.core.kinds import StageKind
from desktop_app.core.memory import MemoryPlan
from desktop_app.engine.adapters import adapted
from desktop_app.engine.pipelines import load_pipelines
from desktop_app.engine.residency import Residency
from desktop_app.store.adapters import AdapterStore
from desktop_app.store.paths import user_paths

WIDTHS = {SD: (32,), SDXL: (32, 64)}


class Studio:
    """A tiny checkpoint in memory, adapters for it, and plain diffusers beside it."""

    def __init__(self, label, folder):
        self.family = family_named(label)
        self.folder = folder
        self.paths = user_paths(folder.parent / "data")
        self.paths.ensure()
        self.find = AdapterStore(self.paths).find
        self.checkpoint = folder
        self._plan(MemoryPlan.RESIDENT)
        self._write()

    def _plan(self, plan):
        self.residency = Residency("cpu", disk=self.folder.parent / "disk")
        self.residency.configure(EngineOptions(plan=plan))
        self.residency.plan(self.checkpoint, (64, 64))
        self.resident = self.residency.get(self.checkpoint)

    def _write(self):
        clean, own = self.pipeline(), self.paths.adapters
        self.loras = {form: write_lora(clean, own / f"{form}.safetensors", form=form) for form in LORA_FORMATS}
        self.other = write_lora(clean, own / "other.safetensors", seed=7, rank=2, text=False)
        self.word = write_textual_inversion(own / "word.safetensors", WIDTHS[self.family.label], vectors=2)
        self.picture = write_ip_adapter(clean.unet, own / "picture.safetensors")
        self.plus = write_ip_adapter(clean.unet, own / "plus.safetensors", is_plus=True)

    def under(self, plan):
        """The same under another memory plan."""
        self._plan(plan)
        return self

    def plain(self, kind=StageKind.TEXT_TO_IMAGE):
        import torch

        return load_pipelines(self.checkpoint, torch.float32, "cpu")[kind]

    def pipeline(self, kind=StageKind.TEXT_TO_IMAGE):
        return self.resident.pipelines[kind]

    def paint(self, *adapters, prompt="the cat", kind=StageKind.TEXT_TO_IMAGE, notes=None):
        pipeline = self.pipeline(kind)
        with (
            adapted(self.resident, pipeline, self.family, adapters, self.find) as found,
            self.resident.offload.using(pipeline),
        ):
            if notes is not None:
                notes += found.notes
            return call(pipeline, prompt, kind, **found.arguments)

    def is_bare(self):
        """Whether the parts are as they were loaded."""
        from peft.tuners.tuners_utils import BaseTunerLayer

        parts = [self.pipeline().unet, self.pipeline().text_encoder]
        return not any(isinstance(each, BaseTunerLayer) for part in parts for each in part.modules())


def call(pipeline, prompt="the cat", kind=StageKind.TEXT_TO_IMAGE, **more):
    import torch

    given = {"height": 64, "width": 64}
    if kind is not StageKind.TEXT_TO_IMAGE:
        given = {"image": make_picture((64, 64), "RGB", 2), "strength": 1.0}
    if kind is StageKind.INPAINT:
        given |= {"mask_image": make_picture((64, 64), "L", 3), "height": 64, "width": 64}
    generator = torch.Generator().manual_seed(0)
    return pipeline(prompt=prompt, num_inference_steps=2, generator=generator, output_type="np", **given, **more).images


def same(first, second):
    return numpy.array_equal(first, second)


def lora(path, weight=1.0, **more):
    return Adapter(AdapterKind.LORA, path.name, weight, **more)
