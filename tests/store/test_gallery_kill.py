"""A program that is killed while it saves: what it has acknowledged is there, and nothing is half there."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from support import PROJECT

from desktop_app.core.image import load_image
from desktop_app.core.request import hash_pixels
from desktop_app.store.gallery import GalleryStore
from desktop_app.store.paths import Paths

KILLS = 12
SAVER = """
import itertools, sys
from pathlib import Path
from chain_cases import make_chain, make_chain_result
from desktop_app.store.gallery import GalleryStore
from desktop_app.store.paths import user_paths

gallery = GalleryStore(user_paths(Path(sys.argv[1])))
gallery.open()
for seed in itertools.count(int(sys.argv[2])):
    request = make_chain(seed=seed, width=256, height=256)
    print(gallery.save(request, make_chain_result(request)).id, flush=True)
"""


def save_until_killed(paths: Paths, round_number: int, moment: float) -> list[str]:
    """Ids that the program acknowledged before it was killed, somewhere in its next save."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT / "tests"), str(PROJECT)])}
    command = [sys.executable, "-c", SAVER, str(paths.data_dir), str(round_number * 1000)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(3)]
    with process:
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
        acknowledged += process.stdout.read().split("\n")[:-1]
    return acknowledged


def pictures_of(paths: Paths) -> set[Path]:
    return set(paths.gallery.glob("2*/*.png"))


@pytest.mark.timeout(120)
def test_what_was_acknowledged_is_there_and_nothing_is_half_there(paths):
    rng = random.Random(7)
    acknowledged: set[str] = set()
    for number in range(KILLS):
        acknowledged |= set(save_until_killed(paths, number, rng.uniform(0, 0.05)))
    gallery = GalleryStore(paths)
    gallery.open()
    variations = gallery.page(limit=100_000, with_stages=True)
    chains = [gallery.stages_of(variation_id) for variation_id in acknowledged]
    gallery.close()
    assert acknowledged <= {variation.id for variation in variations}
    assert [len(stages) for stages in chains] == [3] * len(acknowledged)
    assert {variation.path for variation in variations} == pictures_of(paths)
    assert all(hash_pixels(load_image(each.path)) == each.pixels_sha256 for each in variations)
    assert not list(paths.data_dir.rglob("*.underpaint-tmp"))
