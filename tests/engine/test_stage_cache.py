"""What stages have made: as much as there is room for, and only while the files that it was made with are the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from chain_cases import make_chain
from PIL import Image

from desktop_app.core.kinds import StageKind
from desktop_app.core.stage_keys import stage_keys
from desktop_app.engine.framing import Picture
from desktop_app.engine.handover import Latents
from desktop_app.engine.stage_cache import StageCache, StageOutput
from desktop_app.store.any_checkpoint import stamp_of

PICTURE = 64 * 64 * 4
"""Bytes of what `made` makes."""


def made(*paths: Path, latents: Latents | None = None, size: tuple[int, int] = (64, 64)) -> StageOutput:
    stamps = tuple((path, stamp_of(path)) for path in paths)
    return StageOutput(Picture(Image.new("RGB", size)), latents, None, 4, (), stamps, "float32")


def keep_chain(cache: StageCache, *keys: str) -> None:
    found = cache.begin(keys)
    for key in keys[len(found) :]:
        cache.keep(key, made())


def test_only_the_first_stages_without_a_gap_are_found():
    cache = StageCache()
    keep_chain(cache, "a", "b", "c")
    assert len(cache.begin(["a", "b", "other"])) == 2
    assert cache.begin(["other", "b", "c"]) == []


def test_the_chain_that_was_used_last_stays():
    cache = StageCache(budget=4 * PICTURE)
    keep_chain(cache, "a", "b")
    keep_chain(cache, "x", "y")
    cache.begin(["a", "b"])
    keep_chain(cache, "new")
    assert cache.keys == {"a", "b", "x", "new"}


def test_a_chain_that_has_no_room_keeps_its_beginning_from_where_it_can_go_on():
    cache = StageCache(budget=2 * PICTURE)
    keep_chain(cache, "a", "b", "c", "d")
    assert cache.keys == {"a", "b"}
    assert len(cache.begin(["a", "b", "c"])) == 2


def test_a_picture_that_is_larger_than_all_room_drives_nothing_out():
    cache = StageCache(budget=PICTURE)
    keep_chain(cache, "small")
    cache.begin(["large", "behind it"])
    cache.keep("large", made(size=(65, 64)))
    cache.keep("behind it", made(size=(8, 8)))
    assert cache.keys == {"small"}


def test_latents_count_as_the_numbers_that_they_are():
    import torch

    latents = Latents(torch.zeros(1, 4, 8, 8, dtype=torch.float16), ())
    assert made(latents=latents).size_bytes == PICTURE + 4 * 8 * 8 * 2


def test_the_room_is_never_passed_however_many_runs_there_are():
    cache = StageCache(budget=3 * PICTURE)
    for number in range(20):
        keep_chain(cache, f"a{number}", f"b{number}")
        assert len(cache.keys) <= 3


@pytest.fixture
def files(tmp_path):
    """A folder of a checkpoint, and a single file."""
    folder, file = tmp_path / "checkpoint", tmp_path / "adapter.safetensors"
    (folder / "unet").mkdir(parents=True)
    (folder / "unet" / "model.safetensors").write_bytes(b"one")
    file.write_bytes(b"one")
    return folder, file


@pytest.mark.parametrize("number", [0, 1])
def test_what_was_made_with_a_file_that_has_changed_is_made_again(files, number):
    cache = StageCache()
    cache.begin(["a", "b"])
    cache.keep("a", made(files[0]))
    cache.keep("b", made(*files))
    assert len(cache.begin(["a", "b"])) == 2
    (files[0] / "unet" / "model.safetensors", files[1])[number].write_bytes(b"another")
    assert len(cache.begin(["a", "b"])) == number


def test_a_key_hangs_on_all_that_a_stage_is_made_of_and_on_nothing_else():
    request = make_chain()
    keys = stage_keys(request)
    assert len(set(keys)) == 3
    assert stage_keys(replace(request, recipe="other", own_size=False)) == keys
    assert stage_keys(replace(request, width=128))[0] != keys[0]
    last = replace(request, stages=(*request.stages[:2], replace(request.stages[2], noise_level=9)))
    assert [a == b for a, b in zip(stage_keys(last), keys, strict=True)] == [True, True, False]


def test_the_size_of_the_result_counts_where_the_first_stage_paints_inside_a_mask():
    request = make_chain()
    masked = replace(request, stages=(replace(request.stages[0], kind=StageKind.INPAINT), *request.stages[1:]))
    assert stage_keys(replace(masked, own_size=False)) != stage_keys(masked)
