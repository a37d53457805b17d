"""ControlNets on the parts of a checkpoint in memory: the pictures are those of diffusers' own pipelines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
from support import make_picture
from tiny import write_stable_diffusion_xl
from tiny_control import write_control_net

from desktop_app.core.conditions import Control, ControlMode
from desktop_app.core.errors import Cancelled, CheckpointError
from desktop_app.core.memory import MemoryPlan
from desktop_app.core.request import Stage, StageKind
from desktop_app.engine.controls import ControlNets, control_arguments
from desktop_app.engine.offload import Offload
from desktop_app.engine.pipelines import load_pipelines
from desktop_app.engine.residency import Resident
from desktop_app.store.any_checkpoint import family_at, stamp_of

SIZE = (64, 64)
PICTURES = [make_picture(SIZE, seed=seed) for seed in (1, 2)]
INIT = make_picture(SIZE, seed=3)
KINDS = {
    StageKind.TEXT_TO_IMAGE: {"width": 64, "height": 64},
    StageKind.IMAGE_TO_IMAGE: {"image": INIT, "strength": 0.6},
    StageKind.INPAINT: {
        "image": INIT,
        "strength": 0.6,
        "mask_image": make_picture(SIZE, "L"),
        "width": 64,
        "height": 64,
    },
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Path:
    """``sd`` and ``xl`` with ControlNets of their own, ``sd-1``, ``sd-2``, ``xl-1`` and ``xl-2``."""
    root = tmp_path_factory.mktemp("control")
    (root / "sd").symlink_to(tiny_checkpoint)
    write_stable_diffusion_xl(root / "xl")
    for name in ("sd", "xl"):
        for number in (1, 2):
            write_control_net(root / f"{name}-{number}", root / name, seed=number)
    return root


def resident_of(folder: Path, plan: MemoryPlan = MemoryPlan.RESIDENT, disk: Path = Path()) -> Resident:
    import torch

    pipelines = load_pipelines(folder, torch.float32, "cpu")
    offload = Offload(pipelines.values(), plan, "cpu", disk)
    return Resident(pipelines, next(iter(pipelines.values())).scheduler, "float32", offload, stamp_of(folder))


@pytest.fixture(scope="module")
def residents(folders: Path) -> dict[str, Resident]:
    return {name: resident_of(folders / name) for name in ("sd", "xl")}


def stage_of(root: Path, name: str, kind: StageKind, count: int = 1, **values) -> Stage:
    refs = [str(root / f"{name}-{number + 1}") for number in range(count)]
    controls = tuple(Control(ControlMode.CANNY, ref, **values) for ref in refs)
    return Stage(kind, str(root / name), "a cat", controls=controls)


def stage_with(folder: Path, root: Path) -> Stage:
    """Of ``sd``, with the ControlNet in ``folder``."""
    control = Control(ControlMode.CANNY, str(folder))
    return Stage(StageKind.TEXT_TO_IMAGE, str(root / "sd"), "a cat", controls=(control,))


def run(pipeline, kind: StageKind, **values) -> numpy.ndarray:
    import torch

    usual = {"prompt": "a cat", "num_inference_steps": 4, "guidance_scale": 5.0, "output_type": "np", **KINDS[kind]}
    return pipeline(**{**usual, **values}, generator=torch.Generator().manual_seed(5)).images


def steered(nets: ControlNets, resident: Resident, stage: Stage, pictures=PICTURES, **values) -> numpy.ndarray:
    family = family_at(Path(stage.checkpoint))
    pipeline = nets.pipeline(resident, family, stage)
    with resident.offload.using(pipeline):
        return run(pipeline, stage.kind, **values, **control_arguments(family, stage, pictures[: len(stage.controls)]))


@pytest.fixture
def nets() -> ControlNets:
    return ControlNets(Path, "cpu")


# The pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["sd", "xl"])
@pytest.mark.parametrize("count", [1, 2])
def test_pictures_are_those_of_diffusers_bit_for_bit(nets, folders, residents, name, kind, count):
    import diffusers

    stage = stage_of(folders, name, kind, count, weight=0.8, start=0.25, end=0.75)
    networks = [diffusers.ControlNetModel.from_pretrained(folders / f"{name}-{each + 1}") for each in range(count)]
    known = {**residents[name].pipelines[kind].components, "requires_safety_checker": False}
    own = getattr(diffusers, family_at(folders / name).control_pipelines[kind])
    known = {part: known[part] for part in own.__init__.__code__.co_varnames if part in known}
    script = own(**known, controlnet=networks if count > 1 else networks[0])
    lists = {"controlnet_conditioning_scale": 0.8, "control_guidance_start": 0.25, "control_guidance_end": 0.75}
    images = PICTURES[:count]
    values = {key: [value] * count if count > 1 else value for key, value in lists.items()}
    keyword = "image" if kind is StageKind.TEXT_TO_IMAGE else "control_image"
    expected = run(script, kind, **values, **{keyword: images if count > 1 else images[0]})
    assert (steered(nets, residents[name], stage) == expected).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["sd", "xl"])
def test_a_weight_of_nothing_leaves_the_picture_as_it_was(nets, folders, residents, name, kind):
    plain = run(residents[name].pipelines[kind], kind)
    assert (steered(nets, residents[name], stage_of(folders, name, kind, weight=0.0)) == plain).all()
    assert not (steered(nets, residents[name], stage_of(folders, name, kind)) == plain).all()


def test_each_control_image_goes_to_its_own_control_net(nets, folders, residents):
    stage = stage_of(folders, "sd", StageKind.TEXT_TO_IMAGE, 2)
    both, turned = (steered(nets, residents["sd"], stage, pictures) for pictures in (PICTURES, PICTURES[::-1]))
    assert not (both == turned).all()
    first, second = stage.controls
    lighter = replace(stage, controls=(first, replace(second, weight=0.0)))
    one = replace(stage, controls=(first,))
    assert numpy.allclose(steered(nets, residents["sd"], lighter), steered(nets, residents["sd"], one), atol=1e-6)


def test_what_counts_in_a_part_of_the_schedule_counts_in_no_other(nets, folders, residents):
    stage = stage_of(folders, "sd", StageKind.TEXT_TO_IMAGE, start=0.5)
    found: dict[str, list] = {}

    def note(name: str) -> Callable:
        found[name] = []

        def keep(pipeline, step, timestep, tensors):
            found[name].append(tensors["latents"].clone())
            return tensors

        return keep

    run(residents["sd"].pipelines[stage.kind], stage.kind, callback_on_step_end=note("plain"))
    steered(nets, residents["sd"], stage, callback_on_step_end=note("steered"))
    same = [bool((one == other).all()) for one, other in zip(found["plain"], found["steered"], strict=True)]
    assert same == [True, True, True, False, False]  # PNDM takes five passes for four steps


def test_controls_that_are_off_are_not_loaded(nets, folders, residents):
    stage = stage_of(folders, "sd", StageKind.TEXT_TO_IMAGE, is_on=False)
    pipeline = nets.pipeline(residents["sd"], family_at(folders / "sd"), stage)
    assert pipeline is residents["sd"].pipelines[stage.kind]
    assert control_arguments(family_at(folders / "sd"), stage, []) == {}
    assert nets.size_bytes == 0


# In memory ---------------------------------------------------------------------------------------


def test_a_control_net_is_loaded_once_and_kept_as_long_as_what_it_steers(nets, folders):
    resident, family = resident_of(folders / "sd"), family_at(folders / "sd")
    kinds = (StageKind.TEXT_TO_IMAGE, StageKind.INPAINT)
    first, second = (nets.pipeline(resident, family, stage_of(folders, "sd", kind)) for kind in kinds)
    assert first.controlnet is second.controlnet
    assert first.unet is resident.pipelines[kinds[0]].unet
    weights = (folders / "sd-1" / "diffusion_pytorch_model.safetensors").stat().st_size
    assert 0.9 * weights < nets.size_bytes <= weights
    del resident
    assert nets.size_bytes == 0


def test_only_the_control_nets_of_the_last_steered_stage_stay(nets, folders, residents):
    both, first = (stage_of(folders, "sd", StageKind.TEXT_TO_IMAGE, count) for count in (2, 1))
    sizes = []
    for stage in (first, both, first, replace(both, controls=both.controls[1:])):
        nets.pipeline(residents["sd"], family_at(folders / "sd"), stage)
        sizes.append(nets.size_bytes)
    assert sizes == [sizes[0], 2 * sizes[0], sizes[0], sizes[0]]


def test_all_control_nets_are_let_go_of_on_request(nets, folders, residents):
    steered(nets, residents["sd"], stage_of(folders, "sd", StageKind.TEXT_TO_IMAGE, 2))
    assert nets.size_bytes
    nets.drop()
    assert nets.size_bytes == 0


def test_a_control_net_whose_files_have_changed_is_loaded_anew(nets, residents, folders, tmp_path):
    folder = write_control_net(tmp_path / "net", folders / "sd", seed=1)
    stage = stage_with(folder, folders)
    before = steered(nets, residents["sd"], stage)
    write_control_net(folder, folders / "sd", seed=9)
    assert not (steered(nets, residents["sd"], stage) == before).all()


def test_half_precision_weights_are_found(nets, residents, folders, tmp_path):
    folder = write_control_net(tmp_path / "net", folders / "sd", seed=1, variant="fp16")
    half = stage_with(folder, folders)
    whole = stage_of(folders, "sd", StageKind.TEXT_TO_IMAGE)
    assert numpy.allclose(*(steered(nets, residents["sd"], stage) for stage in (half, whole)), atol=0.05)


def test_a_control_net_for_another_family_is_refused_before_it_is_loaded(nets, folders, residents):
    stage = replace(stage_of(folders, "xl", StageKind.TEXT_TO_IMAGE), checkpoint=str(folders / "sd"))
    with pytest.raises(CheckpointError, match="does not fit"):
        nets.pipeline(residents["sd"], family_at(folders / "sd"), stage)
    assert nets.size_bytes == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layers_per_block": 2}, "has layers for 2 × "),
        ({"conditioning_embedding_out_channels": (4, 8, 16)}, "covers 4 pixels, of the checkpoint 8"),
    ],
)
def test_a_control_net_for_a_checkpoint_of_another_shape_is_refused(nets, residents, folders, tmp_path, changes, words):
    from diffusers import ControlNetModel

    config = ControlNetModel.load_config(folders / "sd-1")
    ControlNetModel.from_config({**config, **changes}).save_pretrained(tmp_path / "net")
    with pytest.raises(CheckpointError, match="does not fit") as caught:
        nets.pipeline(residents["sd"], family_at(folders / "sd"), stage_with(tmp_path / "net", folders))
    assert words in caught.value.detail
    assert nets.size_bytes == 0


def test_a_control_net_that_lacks_weights_is_told(nets, residents, folders, tmp_path, expect_log):
    from safetensors.torch import load_file, save_file

    folder = write_control_net(tmp_path / "net", folders / "sd")
    weights = load_file(folder / "diffusion_pytorch_model.safetensors")
    del weights["controlnet_mid_block.weight"]
    save_file(weights, folder / "diffusion_pytorch_model.safetensors")
    stage = stage_with(folder, folders)
    expect_log("newly initialized")
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        nets.pipeline(residents["sd"], family_at(folders / "sd"), stage)


@pytest.mark.parametrize("plan", [MemoryPlan.MODEL_OFFLOAD, MemoryPlan.GROUP_OFFLOAD])
def test_a_plan_changes_nothing_of_the_picture_nor_of_the_next_one_without(folders, residents, tmp_path, plan):
    nets = ControlNets(Path, "cpu", disk=tmp_path)
    stage = stage_of(folders, "sd", StageKind.TEXT_TO_IMAGE, 2)
    expected = [steered(nets, residents["sd"], stage), run(residents["sd"].pipelines[stage.kind], stage.kind)]
    resident = resident_of(folders / "sd", plan, tmp_path)
    plain = resident.pipelines[stage.kind]
    made = []
    for _ in range(2):
        made.append(steered(nets, resident, stage))
        with resident.offload.using(plain):
            made.append(run(plain, stage.kind))
    assert all(numpy.allclose(one, other, atol=1e-5) for one, other in zip(made, 2 * expected, strict=True))
    nets.drop()
    resident.offload.close()
    assert not list(tmp_path.iterdir())


def test_a_cancel_leaves_the_parts_as_they_were(nets, folders, residents):
    stage = stage_of(folders, "sd", StageKind.TEXT_TO_IMAGE)
    expected = steered(nets, residents["sd"], stage)

    def stop(pipeline, step, timestep, tensors):
        raise Cancelled

    with pytest.raises(Cancelled):
        steered(nets, residents["sd"], stage, callback_on_step_end=stop)
    assert (steered(nets, residents["sd"], stage) == expected).all()
