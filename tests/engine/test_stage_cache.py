"""What stages have made: as much as there is room for, and only while the files that it was made with are the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from chain_cases import make_chain
from PIL import Image
from support import make_request

from desktop_app.core.errors import CheckpointError
from desktop_app.core.kinds import StageKind
from desktop_app.core.request import Stage
from desktop_app.core.stage_keys import stage_keys
from desktop_app.engine.framing import Picture
from desktop_app.engine.handover import Latents
from desktop_app.engine.stage_cache import BUDGET, StageCache, StageOutput, Stamps
from desktop_app.store.any_checkpoint import stamp_of

PICTURE = 64 * 64 * 4
"""Bytes of what `made` makes."""


STAGE = make_request().stages[0]


def made(stamps: Stamps = (), *, latents: Latents | None = None, size: tuple[int, int] = (64, 64)) -> StageOutput:
    return StageOutput(STAGE, Picture(Image.new("RGB", size)), latents, None, 4, (), stamps, "float32")


def make_cache(budget: int = BUDGET) -> StageCache:
    """Of stages that are made with no file at all."""
    return StageCache(lambda _stage: (), budget)


def keep_chain(cache: StageCache, *keys: str) -> None:
    found = cache.begin(keys)
    for key in keys[len(found) :]:
        cache.keep(key, made())


def test_only_the_first_stages_without_a_gap_are_found():
    cache = make_cache()
    keep_chain(cache, "a", "b", "c")
    assert len(cache.begin(["a", "b", "other"])) == 2
    assert cache.begin(["other", "b", "c"]) == []


def test_the_chain_that_was_used_last_stays():
    cache = make_cache(budget=4 * PICTURE)
    keep_chain(cache, "a", "b")
    keep_chain(cache, "x", "y")
    cache.begin(["a", "b"])
    keep_chain(cache, "new")
    assert cache.keys == {"a", "b", "x", "new"}


def test_a_chain_that_has_no_room_keeps_its_beginning_from_where_it_can_go_on():
    cache = make_cache(budget=2 * PICTURE)
    keep_chain(cache, "a", "b", "c", "d")
    assert cache.keys == {"a", "b"}
    assert len(cache.begin(["a", "b", "c"])) == 2


def test_a_picture_that_is_larger_than_all_room_drives_nothing_out():
    cache = make_cache(budget=PICTURE)
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
    cache = make_cache(budget=3 * PICTURE)
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
    def stamps(_stage: Stage) -> Stamps:
        return tuple((path, stamp_of(path)) for path in files)

    cache = StageCache(stamps)
    cache.begin(["a"])
    cache.keep("a", made(stamps(STAGE)))
    assert (cache.keys, len(cache.begin(["a"]))) == ({"a"}, 1)
    (files[0] / "unet" / "model.safetensors", files[1])[number].write_bytes(b"another")
    assert (cache.keys, len(cache.begin(["a"]))) == (frozenset(), 0)


def test_the_files_of_many_stages_are_looked_at_once_where_they_are_the_same():
    looked = []

    def look(stage: Stage) -> Stamps:
        looked.append(stage)
        return ()

    cache = StageCache(look)
    for number in range(20):
        cache.begin([f"a{number}"])
        cache.keep(f"a{number}", replace(made(), stage=replace(STAGE, strength=number / 20)))
    assert len(cache.keys) == 20
    assert len(looked) == 1


def test_what_was_made_with_a_file_that_is_gone_is_not_used():
    def find_nothing(_stage: Stage) -> Stamps:
        raise CheckpointError("The checkpoint cannot be found", "", "")

    cache = StageCache(find_nothing)
    cache.begin(["a"])
    cache.keep("a", made())
    assert (cache.keys, cache.begin(["a"])) == (frozenset(), [])


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
