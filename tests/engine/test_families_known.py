"""Nothing that diffusers can run on a picture is unknown: it is a family, or it is refused by name."""

from __future__ import annotations

import json

import pytest

from desktop_app.core.errors import CheckpointError
from desktop_app.core.families import FAMILIES, REFUSED
from desktop_app.store.checkpoints import CheckpointStore


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # Kolors, when imported
def test_each_pipeline_that_diffusers_maps_is_in_the_table_or_refused_by_name():
    from diffusers.pipelines import auto_pipeline

    of_pictures = auto_pipeline.AUTO_IMAGE2IMAGE_PIPELINES_MAPPING
    of_prompts = auto_pipeline.AUTO_TEXT2IMAGE_PIPELINES_MAPPING
    mapped = [*of_pictures.values(), *(of_prompts[name] for name in of_pictures if name in of_prompts)]
    known = {class_name for family in FAMILIES for class_name in family.index_classes}
    assert len(of_pictures) >= 26
    assert [each.__name__ for each in mapped if each.__name__ not in known | set(REFUSED)] == []
    assert known & set(REFUSED) == set()


@pytest.mark.parametrize(
    ("class_name", "words"),
    [
        ("IFPipeline", "DeepFloyd IF"),
        ("KandinskyPipeline", r"Kandinsky 2\.1"),
        ("StableDiffusionXLControlNetPipeline", "control image"),
        ("FluxControlPipeline", "Flux with control"),
        ("QwenImageLayeredPipeline", "layers"),
        ("StableCascadeCombinedPipeline", "StableCascadeCombinedPipeline"),
    ],
)
def test_a_refusal_says_what_the_checkpoint_is(paths, tmp_path, class_name, words):
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": class_name}))
    with pytest.raises(CheckpointError, match="not supported") as caught:
        CheckpointStore(paths).resolve(str(tmp_path))
    assert words.replace("\\", "") in caught.value.detail
    assert "Flux Kontext" in caught.value.hint
