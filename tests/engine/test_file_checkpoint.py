"""A single file as the checkpoint of a request: the same picture as from the folder that it was made of."""

from __future__ import annotations

import pytest
from engine_runs import paint
from single_file import write_tiny_file
from support import make_request

from desktop_app.core.kinds import StageKind
from desktop_app.store.checkpoints import CheckpointStore


@pytest.fixture
def tiny_file(tmp_path, monkeypatch):
    """Makes a tiny checkpoint as a folder and as a file, with layouts as tiny as it."""

    def make(name):
        made = write_tiny_file(tmp_path / name, name)
        monkeypatch.setattr("desktop_app.store.single_file.layouts_dir", lambda: made.layouts)
        return made

    return make


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl", "sdxl-refiner"])
def test_the_picture_is_that_of_the_folder(own_engine, tiny_file, init_ref, name):
    made = tiny_file(name)
    request = make_request(init_ref((64, 64)), prompt="the cat", negative_prompt="dog", steps=3, strength=0.7)
    stage = request.stages[0]
    pictures = [
        paint(own_engine, make_request(request.init_image, **{**stage.__dict__, "checkpoint": str(path)}))
        for path in (made.file, made.folder)
    ]
    assert max(abs(a - b) for a, b in zip(pictures[0].tobytes(), pictures[1].tobytes(), strict=True)) <= 1


def test_a_file_is_described_by_its_layout(tiny_file, paths):
    made = tiny_file("sd1")
    store = CheckpointStore(paths)
    info, folder = store.describe(str(made.file)), store.describe(str(made.folder))
    assert (info.family, info.native_size, info.multiple) == (folder.family, folder.native_size, folder.multiple)
    assert info.tokenizer == made.layouts / "tokenizer"
    assert info.label == made.file.stem
    assert sum(part.parameters for part in info.parts) > 1e5


def test_a_file_for_inpainting_is_of_the_family_that_paints_inside_a_mask_only(tiny_file, paths):
    made = tiny_file("sd1-inpainting")
    info = CheckpointStore(paths).describe(str(made.file))
    assert (info.family, info.kinds) == ("Stable Diffusion inpainting", (StageKind.INPAINT,))
