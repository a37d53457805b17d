"""LoRAs for the families whose pipelines in diffusers load them, bit for bit as plain diffusers runs them."""

from __future__ import annotations

from dataclasses import replace

import numpy
import pytest
from support import make_picture
from tiny import write_stable_diffusion_xl
from tiny_adapters import write_lora
from tiny_flow import write_flux, write_stable_diffusion_3, write_z_image
from tiny_other import write_latent_consistency
from tiny_qwen import write_flux_2, write_flux_2_klein, write_qwen_image

from desktop_app.core.adapter import line_of
from desktop_app.core.conditions import Adapter, AdapterKind
from desktop_app.core.kinds import StageKind
from desktop_app.engine.adapters import adapted, drop
from desktop_app.engine.faults import quiet
from desktop_app.engine.pipelines import load_pipelines, quieten_libraries
from desktop_app.engine.residency import Residency
from desktop_app.store.adapters import find_in_place
from desktop_app.store.any_checkpoint import family_at

KIND = StageKind.IMAGE_TO_IMAGE
GUIDED = {"true_cfg_scale": 4.0, "negative_prompt": "dog"}
BUILDERS = {
    "sd3": (write_stable_diffusion_3, {}),
    "flux": (write_flux, {}),
    "kontext": (lambda folder: write_flux(folder, is_kontext=True), {"max_area": 64 * 64, "_auto_resize": False}),
    "flux2": (write_flux_2, {}),
    "klein": (write_flux_2_klein, {}),
    "qwen": (write_qwen_image, GUIDED),
    "qwen-edit": (lambda folder: write_qwen_image(folder, edit="QwenImageEditPipeline"), GUIDED),
    "z-image": (write_z_image, {}),
    "lcm": (write_latent_consistency, {}),
    "refiner": (lambda folder: write_stable_diffusion_xl(folder, is_refiner=True), {}),
}


@pytest.fixture(params=BUILDERS)
def loaded(request, tmp_path):
    """A resident, its family as one that takes LoRAs, a function that paints, and plain diffusers beside it."""
    import torch

    quieten_libraries()
    torch.set_num_threads(1)
    write, more = BUILDERS[request.param]
    folder = write(tmp_path / "tiny")
    residency = Residency("cpu")
    residency.plan(folder, (64, 64))
    family = replace(family_at(folder), adapters=(AdapterKind.LORA,))

    def paint(pipeline):
        given = {"prompt": "the cat", "image": make_picture((64, 64), "RGB", 2), "num_inference_steps": 2, **more}
        given |= {"strength": 1.0} if "strength" in family.keywords else {}
        given |= {"height": 64, "width": 64} if KIND in family.sized else {}
        return pipeline(generator=torch.Generator().manual_seed(0), output_type="np", **given).images

    yield residency.get(folder), family, paint, load_pipelines(folder, torch.float32, "cpu")[KIND]
    residency.clear()


def test_a_lora_is_plain_diffusers_and_leaves_no_trace(loaded, tmp_path):
    resident, family, paint, plain = loaded
    pipeline, base = resident.pipelines[KIND], paint(loaded[3])
    path = write_lora(plain, tmp_path / "lora.safetensors", text=family.denoiser == "unet")
    info = find_in_place(Adapter(AdapterKind.LORA, str(path))).info
    assert line_of(family.label) in info.families
    with quiet():
        plain.load_lora_weights(str(path.parent), weight_name=path.name)
    adapters = (Adapter(AdapterKind.LORA, str(path)),)
    with adapted(resident, pipeline, family, adapters, find_in_place) as found:
        painted = paint(pipeline)
    assert found.notes[0].split()[1] == found.notes[0].split()[3]
    assert numpy.array_equal(painted, paint(plain))
    assert not numpy.array_equal(painted, base)
    assert numpy.array_equal(paint(pipeline), base)
    drop(resident)
    assert numpy.array_equal(paint(pipeline), base)
