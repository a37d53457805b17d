"""What a checkpoint needs of memory, and the plan that is chosen for it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop_app.core.memory import (
    CPU_PLANS,
    PLANS,
    UPSCALER_ELEMENTS,
    MemoryPlan,
    MemoryUse,
    PartSize,
    Verdict,
    cheaper,
    choose_plan,
    estimate,
    main_memory,
)

GB = 10**9


def parts_of(**millions: int) -> list[PartSize]:
    """Parts with so many million parameters, stored in 16 bits."""
    return [PartSize(name, count * 10**6, count * 2 * 10**6) for name, count in millions.items()]


SD15 = parts_of(unet=860, vae=84, text_encoder=123)
SDXL = parts_of(unet=2567, vae=84, text_encoder=123, text_encoder_2=695)
FLUX = parts_of(transformer=11901, vae=84, text_encoder=123, text_encoder_2=4762)
PRIOR = parts_of(prior=1026, text_encoder=695, image_encoder=1844)


def peak(parts, side: int, plan: MemoryPlan, *, is_tiled: bool = False, dtype_bytes: int = 2) -> int:
    return estimate(parts, side, side, dtype_bytes, plan, is_tiled=is_tiled)


def choose(
    parts, free: float, *, side: int = 1024, ram: float = 64, is_cpu: bool = False, dtype_bytes: int = 2, **more
):
    return choose_plan(parts, (side, side), dtype_bytes, int(free * GB), int(ram * GB), is_cpu=is_cpu, **more)


def test_a_checkpoint_that_stays_in_memory_needs_its_weights_and_room_to_decode():
    weights = (860 + 84 + 123) * 2 * 10**6
    assert peak(SD15, 512, MemoryPlan.RESIDENT) == weights + 768 * 512 * 512 * 2


def test_an_upscaler_has_more_to_compute_for_each_pixel():
    denoiser = PartSize("unet", 473 * 10**6, 946 * 10**6, UPSCALER_ELEMENTS)
    assert peak([denoiser], 1024, MemoryPlan.RESIDENT) == 946 * 10**6 + 488 * 1024**2 * 2


def test_an_upscaler_of_one_tile_passes_through_8_gigabytes():
    upscaler = [PartSize("unet", 473 * 10**6, 946 * 10**6, UPSCALER_ELEMENTS), *parts_of(vae=55, text_encoder=340)]
    assert choose(upscaler, 8, dtype_bytes=4).plan is MemoryPlan.RESIDENT


def test_twice_as_large_numbers_need_twice_the_memory():
    assert peak(SDXL, 1024, MemoryPlan.RESIDENT, dtype_bytes=4) == 2 * peak(SDXL, 1024, MemoryPlan.RESIDENT)


@pytest.mark.parametrize("parts", [SD15, SDXL, FLUX])
@pytest.mark.parametrize("side", [512, 1024, 2048])
def test_each_plan_needs_less_than_the_one_before_it(parts, side):
    peaks = [peak(parts, side, plan, is_tiled=tiled) for tiled in (False, True) for plan in PLANS]
    assert all(first > second for first, second in itertools.pairwise(peaks[:4]))
    assert all(tiled <= whole for whole, tiled in zip(peaks[:4], peaks[4:], strict=True))


def test_tiles_matter_only_where_the_picture_is_larger_than_one():
    assert peak(SD15, 512, MemoryPlan.RESIDENT, is_tiled=True) == peak(SD15, 512, MemoryPlan.RESIDENT)
    saved = peak(SD15, 2048, MemoryPlan.RESIDENT) - peak(SD15, 2048, MemoryPlan.RESIDENT, is_tiled=True)
    assert saved > 3.5 * GB


def test_what_diffusers_never_moves_is_always_counted():
    assert peak(PRIOR, 768, MemoryPlan.MODEL_OFFLOAD) == (1026 + 1844) * 2 * 10**6
    decoder = parts_of(unet=1253, movq=68)
    difference = peak(decoder, 768, MemoryPlan.GROUP_OFFLOAD) - peak(decoder, 768, MemoryPlan.SEQUENTIAL)
    assert difference == pytest.approx(0.95 * 68 * 2 * 10**6)


@pytest.mark.parametrize(
    ("parts", "free", "side", "plan", "is_tiled", "verdict"),
    [
        (SD15, 24, 512, MemoryPlan.RESIDENT, False, Verdict.FITS),
        (SD15, 4, 1024, MemoryPlan.RESIDENT, True, Verdict.FITS),
        (SDXL, 24, 1024, MemoryPlan.RESIDENT, False, Verdict.FITS),
        (SDXL, 8, 1024, MemoryPlan.MODEL_OFFLOAD, False, Verdict.WITH_OFFLOAD),
        (SDXL, 4, 1024, MemoryPlan.GROUP_OFFLOAD, False, Verdict.WITH_OFFLOAD),
        (FLUX, 80, 1024, MemoryPlan.RESIDENT, False, Verdict.FITS),
        (FLUX, 32, 1024, MemoryPlan.MODEL_OFFLOAD, False, Verdict.WITH_OFFLOAD),
        (FLUX, 12, 1024, MemoryPlan.GROUP_OFFLOAD, False, Verdict.WITH_OFFLOAD),
        (SDXL, 0.5, 1024, MemoryPlan.SEQUENTIAL, True, Verdict.TOO_LARGE),
    ],
)
def test_the_fastest_plan_that_fits_a_card_is_chosen(parts, free, side, plan, is_tiled, verdict):
    choice = choose(parts, free, side=side)
    assert (choice.plan, choice.is_tiled, choice.verdict) == (plan, is_tiled, verdict)
    assert choice.is_sliced is is_tiled
    assert choice.peak_bytes == peak(parts, side, plan, is_tiled=is_tiled)


def test_weights_that_wait_need_main_memory():
    assert choose(FLUX, 12, ram=64).verdict is Verdict.WITH_OFFLOAD
    assert choose(FLUX, 12, ram=16).verdict is Verdict.TOO_LARGE
    assert main_memory(SD15, 2, MemoryPlan.RESIDENT, is_cpu=False) == 0


def test_without_a_card_weights_wait_on_the_disk():
    stored = [PartSize("unet", 10**9, 4 * 10**9), PartSize("vae", 84 * 10**6, 336 * 10**6)]
    options = {"side": 512, "ram": 3, "is_cpu": True, "dtype_bytes": 4}
    assert choose(stored, 16, **options | {"ram": 16}).plan is MemoryPlan.RESIDENT
    assert choose(stored, 3, **options).plan is MemoryPlan.GROUP_OFFLOAD


def test_without_a_card_weights_that_are_stored_smaller_must_be_in_memory_once():
    assert main_memory(SD15, 4, MemoryPlan.GROUP_OFFLOAD, is_cpu=True) == 4 * 1067 * 10**6
    assert choose(SD15, 3, ram=3, side=512, is_cpu=True, dtype_bytes=4).verdict is Verdict.TOO_LARGE


def test_a_plan_of_the_users_own_is_kept_and_only_tiles_are_chosen():
    assert choose(SD15, 80, plan=MemoryPlan.SEQUENTIAL).use == MemoryUse(MemoryPlan.SEQUENTIAL)
    assert choose(SD15, 1.5, plan=MemoryPlan.SEQUENTIAL).use == MemoryUse(MemoryPlan.SEQUENTIAL, is_tiled=True)


@given(st.sampled_from([SD15, SDXL, FLUX, PRIOR]), st.floats(0, 100), st.sampled_from([512, 768, 1024, 2048]))
def test_what_is_said_to_fit_is_less_than_what_is_free(parts, free, side):
    choice = choose(parts, free, side=side)
    assert (choice.verdict is Verdict.TOO_LARGE) or choice.peak_bytes <= free * GB


def test_when_memory_is_full_tiles_come_first_and_then_each_smaller_plan():
    steps = cheaper(MemoryUse(), is_cpu=False)
    assert steps == [MemoryUse(plan, is_tiled=True) for plan in PLANS]
    assert cheaper(MemoryUse(), is_cpu=True) == [MemoryUse(plan, is_tiled=True) for plan in CPU_PLANS]
    assert cheaper(MemoryUse(MemoryPlan.MODEL_OFFLOAD, is_tiled=True), is_cpu=False) == steps[2:]
    assert cheaper(steps[-1], is_cpu=False) == []


def test_every_plan_has_a_name_and_a_sentence():
    assert len({plan.label for plan in PLANS}) == len(MemoryPlan) == len(PLANS)
    assert all(plan.explanation.endswith(".") for plan in MemoryPlan)


def test_a_checkpoint_without_known_parts_is_taken_to_fit():
    assert choose([], 1).verdict is Verdict.FITS
