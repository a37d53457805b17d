"""Every family of checkpoints by every plan that runs without a graphics card, through the engine."""

from __future__ import annotations

import pytest
from engine_runs import NEVER, SAME, Recorder, distance, paint
from support import make_request
from tiny import write_stable_diffusion_xl
from tiny_flow import write_flux, write_stable_diffusion_3, write_z_image
from tiny_kandinsky import write_decoder, write_prior
from tiny_qwen import write_flux_2_klein, write_qwen_image

from desktop_app.engine.diffusers_engine import DiffusersEngine
from desktop_app.engine.pipelines import quieten_libraries
from desktop_app.store.checkpoints import CheckpointStore

BUILDERS = {
    "xl": write_stable_diffusion_xl,
    "refiner": lambda folder: write_stable_diffusion_xl(folder, is_refiner=True),
    "sd3": write_stable_diffusion_3,
    "flux": write_flux,
    "kontext": lambda folder: write_flux(folder, is_kontext=True),
    "klein": write_flux_2_klein,
    "qwen": write_qwen_image,
    "qwen-edit": lambda folder: write_qwen_image(folder, edit="QwenImageEditPipeline"),
    "z-image": write_z_image,
    "kandinsky": lambda folder: write_decoder(folder, str(write_prior(folder.with_name("prior")))),
}


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """Makes tiny checkpoints, each once: ``folder_of("flux")``."""
    quieten_libraries()
    root = tmp_path_factory.mktemp("plans")

    def make(name: str):
        folder = root / name
        return folder if folder.exists() else BUILDERS[name](folder)

    return make


@pytest.fixture
def engine(paths):
    engine = DiffusersEngine(CheckpointStore(paths).resolve, threads=1, offload_dir=paths.session / "offload")
    yield engine
    engine.close()


@pytest.fixture
def requests_of(folder_of, init_ref):
    """Requests for a family, one for each kind of stage that makes a picture with it."""

    def make(name: str):
        folder = folder_of(name)
        usual = {"checkpoint": str(folder), "prompt": "the cat", "steps": 3}
        if name == "kandinsky":
            usual |= {"prior": str(folder.with_name("prior")), "prior_steps": 2}
        with_picture = make_request(init_ref(), strength=0.7, **usual)
        return [with_picture] if name in ("refiner", "qwen-edit") else [with_picture, make_request(**usual)]

    return make


def check(engine, requests, expected):
    """The pictures of ``requests`` are those expected but for the last bit of some colours, and the same every time.

    On the CPU weights that lie at another address in memory may be added up in another order.
    """
    first, second = ([engine.run(request, Recorder(), NEVER) for request in requests] for _ in range(2))
    for one, other, picture in zip(first, second, expected, strict=True):
        assert one.image.tobytes() == other.image.tobytes()
        assert distance(one.image, picture) < SAME
        assert not any("emory" in note for note in one.notes)


def residents_of(engine):
    assert engine._workshop.residency is not None
    return list(engine._workshop.residency._residents.values())


def leave_the_files(resident) -> None:
    """Put weights into memory that have been read from the checkpoint's files."""
    import torch

    for pipeline in resident.pipelines.values():
        for part in pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                part._apply(torch.clone)


@pytest.mark.parametrize("name", BUILDERS)
def test_layers_from_the_disk_give_the_same_picture_twice(engine, requests_of, paths, name):
    requests = requests_of(name)
    expected = [paint(engine, request) for request in requests]
    for resident in residents_of(engine):
        leave_the_files(resident)
        resident.offload._offload_layers(paths.session / "offload")
    assert list((paths.session / "offload").rglob("*.safetensors"))
    check(engine, requests, expected)


@pytest.mark.parametrize("name", BUILDERS)
def test_part_by_part_gives_the_same_picture_twice(engine, requests_of, name):
    requests = requests_of(name)
    expected = [paint(engine, request) for request in requests]
    for resident in residents_of(engine):
        resident.offload._offload_parts()  # with the CPU in the place of a card
    check(engine, requests, expected)
