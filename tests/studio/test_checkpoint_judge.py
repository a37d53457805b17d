"""Judging what fits into memory from what the engine tells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from desktop_app.core.engine import EngineStatus
from desktop_app.core.memory import PartSize, Verdict
from desktop_app.studio.checkpoint_judge import USUAL_SIDE, judge_by, most_free

GB = 2**30
CARD = EngineStatus("cuda", "Some card", 0, 12 * GB, {}, 10 * GB, 16 * GB, "float16")


def parts(billions: float) -> tuple[PartSize, ...]:
    count = round(billions * 1e9)
    return (PartSize("unet", count, 2 * count),)


@pytest.mark.parametrize(
    ("billions", "verdict"), [(1, Verdict.FITS), (6, Verdict.WITH_OFFLOAD), (40, Verdict.TOO_LARGE)]
)
def test_a_larger_checkpoint_fits_less(billions, verdict):
    assert judge_by(CARD)(parts(billions), 512).verdict is verdict


def test_twice_as_wide_numbers_need_twice_the_memory():
    half, single = (judge_by(replace(CARD, dtype=dtype))(parts(1), 512) for dtype in ("float16", "float32"))
    assert single.choice.peak_bytes == 2 * half.choice.peak_bytes


def test_what_waits_in_main_memory_is_told():
    judgement = judge_by(CARD)(parts(6), 512)
    assert judgement.main_bytes == 12 * 10**9
    assert judgement.device == "Some card (cuda)"


def test_without_a_native_size_the_usual_one_is_taken():
    assert judge_by(CARD)(parts(1), 0).side == USUAL_SIDE


@pytest.mark.parametrize("status", [EngineStatus(), EngineStatus("fake", "pictures for tests")])
def test_an_engine_that_tells_nothing_of_memory_is_no_ground_to_judge(status):
    assert judge_by(status) is None


def test_what_a_loaded_checkpoint_takes_is_free_for_another():
    loaded = replace(CARD, memory_free=1 * GB, ram_free=20 * GB)
    assert most_free(CARD, loaded) == replace(CARD, ram_free=20 * GB)
    assert most_free(None, loaded) == loaded
    other = replace(loaded, device="cpu")
    assert most_free(CARD, other) == other
