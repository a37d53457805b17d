"""LoRAs, textual inversions and IP-Adapters, bit for bit as plain diffusers runs them, and without a trace behind."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
from adapter_studio import Studio, call, lora, same
from engine_runs import NEVER, Recorder
from support import make_picture, make_ref, make_request
from tiny import write_stable_diffusion, write_stable_diffusion_xl
from tiny_adapters import LORA_FORMATS, write_ip_adapter, write_textual_inversion

from desktop_app.core.conditions import Adapter, AdapterKind
from desktop_app.core.errors import CheckpointError, ImageError, RequestError
from desktop_app.core.families import KANDINSKY, SD, SDXL, family_named
from desktop_app.core.image import load_image
from desktop_app.core.kinds import StageKind
from desktop_app.core.memory import MemoryPlan
from desktop_app.core.request import Stage
from desktop_app.engine.adapters import IDLE_RUNS, adapted, drop
from desktop_app.engine.diffusers_engine import DiffusersEngine
from desktop_app.engine.faults import quiet
from desktop_app.engine.offload import Offload
from desktop_app.engine.pipelines import quieten_libraries
from desktop_app.engine.process import EngineProcess
from desktop_app.store.adapters import find_in_place

LORA, WORD, PICTURE = AdapterKind.LORA, AdapterKind.TEXTUAL_INVERSION, AdapterKind.IP_ADAPTER
NEAR = 1e-3
"""A plan may change the picture by the last bit of some colours."""


@pytest.fixture(scope="module", params=[SD, SDXL])
def made(request, tmp_path_factory):
    quieten_libraries()
    folder = tmp_path_factory.mktemp("adapters") / "tiny"
    write = write_stable_diffusion if request.param == SD else write_stable_diffusion_xl
    return Studio(request.param, write(folder))


@pytest.fixture
def studio(made):
    """With nothing loaded beside the checkpoint."""
    yield made
    drop(made.resident)


@pytest.fixture
def looked_at(tmp_path):
    """A picture for an IP-Adapter."""
    return make_ref(tmp_path / "looked-at.png", make_picture((40, 30), "RGB", 1))


# LoRA --------------------------------------------------------------------------------------------


def load(pipeline, path, name="plain"):
    """As a script would."""
    with quiet():
        pipeline.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name=name)


@pytest.mark.parametrize("form", LORA_FORMATS)
def test_a_lora_of_each_form_is_plain_diffusers(studio, form):
    plain = studio.plain()
    load(plain, studio.loras[form])
    assert same(studio.paint(lora(studio.loras[form])), call(plain))


def test_several_loras_with_weights_are_plain_diffusers(studio):
    first, second = studio.loras["diffusers"], studio.other
    plain = studio.plain()
    load(plain, first, "a")
    load(plain, second, "b")
    plain.set_adapters(["a", "b"], [0.7, -0.4])
    assert same(studio.paint(lora(first, 0.7), lora(second, -0.4)), call(plain))


@pytest.mark.parametrize("kind", [StageKind.IMAGE_TO_IMAGE, StageKind.INPAINT])
def test_a_lora_counts_in_the_pipelines_that_start_from_a_picture(studio, kind):
    plain = studio.plain(kind)
    load(plain, studio.other)
    assert same(studio.paint(lora(studio.other), kind=kind), call(plain, kind=kind))


def test_a_lora_that_is_off_or_weighs_nothing_leaves_no_trace(studio):
    base = call(studio.plain())
    assert not same(studio.paint(lora(studio.other)), base)
    assert same(studio.paint(lora(studio.other, 0.0)), base)
    assert same(studio.paint(lora(studio.other, is_on=False)), base)
    assert same(studio.paint(), base)


def test_behind_a_call_nothing_of_a_lora_counts(studio):
    studio.paint(lora(studio.other))
    assert same(call(studio.pipeline()), call(studio.plain()))


def test_a_lora_is_switched_on_again_without_loading(studio):
    first = studio.paint(lora(studio.other))
    studio.paint()
    layers = list(studio.pipeline().unet.modules())
    assert same(studio.paint(lora(studio.other)), first)
    assert [id(each) for each in studio.pipeline().unet.modules()] == [id(each) for each in layers]


def test_a_lora_that_nobody_asks_for_goes_after_a_while(studio):
    studio.paint(lora(studio.other))
    for _ in range(IDLE_RUNS + 1):
        with adapted(studio.resident, studio.pipeline(), studio.family, (), studio.find):
            pass
    assert studio.is_bare()
    assert same(call(studio.pipeline()), call(studio.plain()))


def test_one_lora_goes_and_the_other_stays(studio):
    studio.paint(lora(studio.loras["diffusers"]))
    for _ in range(IDLE_RUNS + 1):
        with adapted(studio.resident, studio.pipeline(), studio.family, (lora(studio.other),), studio.find):
            pass
    assert list(studio.pipeline().unet.peft_config) == [studio.pipeline().get_active_adapters()[0]]
    plain = studio.plain()
    load(plain, studio.other)
    assert same(studio.paint(lora(studio.other)), call(plain))


def test_when_memory_is_short_all_are_let_go(studio):
    studio.paint(lora(studio.other))
    drop(studio.resident)
    assert studio.is_bare()


def test_the_layers_that_matched_are_told(studio):
    notes = []
    studio.paint(lora(studio.loras["kohya"]), notes=notes)
    count = {SD: 44, SDXL: 52}[studio.family.label]
    assert notes == [f"kohya: {count} of {count} layers matched."]


def test_layers_without_a_counterpart_are_told(studio):
    def add(tensors):
        for end in ("A", "B"):
            tensors[f"unet.another.layer.lora_{end}.weight"] = next(iter(tensors.values())).clone()

    notes = []
    studio.paint(lora(changed(studio.other, add)), notes=notes)
    assert notes[0].startswith("changed: ")
    matched, total = (int(word) for word in notes[0].split() if word.isdecimal())
    assert total == matched + 1


def test_a_lora_without_any_counterpart_is_refused(studio):
    def rename(tensors):
        for name in list(tensors):
            tensors[name.replace("attn", "other").replace("ff.net", "gg.net")] = tensors.pop(name)

    with pytest.raises(RequestError, match="none of its") as caught:
        studio.paint(lora(changed(studio.other, rename)))
    assert caught.value.param == "adapters"
    assert studio.is_bare()


def test_a_load_that_fails_leaves_the_pipeline_clean(studio):
    def cut(tensors):
        name = next(name for name in tensors if "attn1.to_q.lora_B" in name)
        tensors[name] = tensors[name][:-1].clone()

    studio.paint(lora(studio.loras["diffusers"]))
    with pytest.raises(RequestError, match="layers have other sizes"):
        studio.paint(lora(changed(studio.other, cut)))
    assert studio.is_bare()
    assert same(studio.paint(), call(studio.plain()))


def test_a_lora_for_words_of_another_width_is_refused_before_it_is_loaded(studio):
    def widen(tensors):
        for name in [name for name in tensors if "attn2.to_k.lora_A" in name or "attn2.to_v.lora_A" in name]:
            tensors[name] = tensors[name].repeat(1, 8)

    with pytest.raises(RequestError, match="numbers, and those of the checkpoint have"):
        studio.paint(lora(changed(studio.other, widen)))
    assert studio.is_bare()


def test_a_lora_is_refused_by_a_family_that_takes_none(studio):
    family = family_named(KANDINSKY)
    with pytest.raises(RequestError, match="takes none"):
        with adapted(studio.resident, studio.pipeline(), family, (lora(studio.other),), studio.find):
            pass


def test_what_fails_inside_leaves_the_pipeline_clean(studio, looked_at):
    adapters = (lora(studio.other), word(studio), picture(studio, looked_at))
    with pytest.raises(ZeroDivisionError):
        with adapted(studio.resident, studio.pipeline(), studio.family, adapters, studio.find):
            raise ZeroDivisionError
    assert same(call(studio.pipeline()), call(studio.plain()))


def changed(path, change):
    """A copy of the LoRA in which ``change`` has changed the tensors."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(path)
    change(tensors)
    target = path.with_name("changed.safetensors")
    target.unlink(missing_ok=True)
    save_file(tensors, target)
    return target


# Textual inversion -------------------------------------------------------------------------------


def word(studio, weight=1.0, token="<sks>", **more):
    return Adapter(WORD, studio.word.name, weight, token=token, **more)


def teach(pipeline, path, token="<sks>"):
    """As a script would."""
    from safetensors.torch import load_file

    tensors = load_file(path)
    named = {"clip_l": ("tokenizer", "text_encoder"), "clip_g": ("tokenizer_2", "text_encoder_2")}
    with quiet():
        for name, vectors in tensors.items():
            tokenizer, encoder = named.get(name, named["clip_l"])
            parts = {"tokenizer": getattr(pipeline, tokenizer), "text_encoder": getattr(pipeline, encoder)}
            pipeline.load_textual_inversion({token: vectors}, token=token, **parts)


def test_a_textual_inversion_is_plain_diffusers(studio):
    plain = studio.plain()
    teach(plain, studio.word)
    assert same(studio.paint(word(studio), prompt="the <sks> cat"), call(plain, "the <sks> cat"))


def test_a_textual_inversion_is_called_by_the_word_that_it_is_given(studio):
    plain = studio.plain()
    teach(plain, studio.word, "mystyle")
    assert same(studio.paint(word(studio, token="mystyle"), prompt="mystyle"), call(plain, "mystyle"))


def test_behind_a_call_the_word_is_not_known(studio):
    encoder, tokenizer = studio.pipeline().text_encoder, studio.pipeline().tokenizer
    weights = encoder.get_input_embeddings().weight.data
    studio.paint(word(studio), prompt="the <sks>")
    assert encoder.get_input_embeddings().weight.data is weights or same(
        encoder.get_input_embeddings().weight.data.data_ptr(), weights.data_ptr()
    )
    assert studio.pipeline().tokenizer is tokenizer
    assert "<sks>" not in tokenizer.get_vocab()
    assert same(call(studio.pipeline(), "the <sks>"), call(studio.plain(), "the <sks>"))


def test_the_weight_of_a_textual_inversion_is_that_of_its_vectors(studio):
    whole, light = (studio.paint(word(studio, weight), prompt="<sks>") for weight in (1.0, 0.5))
    assert not same(whole, light)


def test_a_word_that_is_known_already_is_refused(studio):
    with pytest.raises(RequestError, match="knows “cat</w>” already"):
        studio.paint(word(studio, token="cat</w>"))
    assert same(studio.paint(), call(studio.plain()))


def test_vectors_of_another_width_are_refused(studio):
    write_textual_inversion(studio.paths.adapters / "wide.safetensors", (48,))
    with pytest.raises(RequestError, match="vectors of 48 numbers"):
        studio.paint(Adapter(WORD, "wide.safetensors"), prompt="<sks>")
    assert same(studio.paint(), call(studio.plain()))


# IP-Adapter --------------------------------------------------------------------------------------


def picture(studio, image, weight=1.0, *, path=None):
    return Adapter(PICTURE, (path or studio.picture).name, weight, image=image)


def look_at(pipeline, path, image, scale):
    """As a script would; the call's argument."""
    with quiet():
        pipeline.load_ip_adapter(str(path.parent), subfolder="", weight_name=path.name)
    pipeline.set_ip_adapter_scale(scale)
    return {"ip_adapter_image": load_image(image.path)}


@pytest.mark.parametrize("name", ["picture", "plus"])
def test_an_ip_adapter_is_plain_diffusers(studio, looked_at, name):
    path, plain = getattr(studio, name), studio.plain()
    given = look_at(plain, path, looked_at, 0.6)
    assert same(studio.paint(picture(studio, looked_at, 0.6, path=path)), call(plain, **given))


@pytest.mark.parametrize("kind", [StageKind.IMAGE_TO_IMAGE, StageKind.INPAINT])
def test_an_ip_adapter_counts_in_the_pipelines_that_start_from_a_picture(studio, looked_at, kind):
    plain = studio.plain(kind)
    given = look_at(plain, studio.picture, looked_at, 1.0)
    assert same(studio.paint(picture(studio, looked_at), kind=kind), call(plain, kind=kind, **given))


def test_behind_a_call_no_pipeline_looks_at_a_picture(studio, looked_at):
    processors = studio.pipeline().unet.attn_processors
    studio.paint(picture(studio, looked_at))
    assert studio.pipeline().unet.attn_processors == processors
    for kind in (StageKind.TEXT_TO_IMAGE, StageKind.IMAGE_TO_IMAGE):
        assert same(call(studio.pipeline(kind), kind=kind), call(studio.plain(kind), kind=kind))


def test_two_ip_adapters_look_at_a_picture_each(studio, looked_at, tmp_path):
    other = make_ref(tmp_path / "other.png", make_picture((32, 32), "RGB", 9))
    plain = studio.plain()
    folder, names = str(studio.picture.parent), [studio.picture.name, studio.plus.name]
    with quiet():
        plain.load_ip_adapter(folder, subfolder="", weight_name=names)
    plain.set_ip_adapter_scale([0.5, 0.8])
    images = [load_image(looked_at.path), load_image(other.path)]
    pair = (picture(studio, looked_at, 0.5), picture(studio, other, 0.8, path=studio.plus))
    assert same(studio.paint(*pair), call(plain, ip_adapter_image=images))


def test_all_three_kinds_work_together(studio, looked_at):
    plain = studio.plain()
    load(plain, studio.other)
    teach(plain, studio.word)
    given = look_at(plain, studio.picture, looked_at, 1.0)
    painted = studio.paint(lora(studio.other), word(studio), picture(studio, looked_at), prompt="<sks>")
    assert same(painted, call(plain, "<sks>", **given))


def test_an_ip_adapter_without_a_picture_is_refused(studio):
    with pytest.raises(RequestError, match="no picture"):
        studio.paint(picture(studio, None))


def test_a_picture_that_has_changed_is_refused(studio, looked_at):
    make_picture((40, 30), "RGB", 5).save(looked_at.path)
    with pytest.raises(ImageError, match="has changed"):
        studio.paint(picture(studio, looked_at))


def test_an_ip_adapter_whose_image_encoder_is_missing_is_refused(studio, looked_at):
    path = write_ip_adapter(studio.pipeline().unet, studio.folder.parent / "alone" / "alone.safetensors", encoder=False)
    with pytest.raises(RequestError, match="image encoder is missing"):
        with adapted(
            studio.resident,
            studio.pipeline(),
            studio.family,
            (Adapter(PICTURE, str(path), image=looked_at),),
            find_in_place,
        ):
            pass


# The file ----------------------------------------------------------------------------------------


def test_a_file_that_is_gone_is_told(studio):
    with pytest.raises(CheckpointError, match="cannot be found"):
        studio.paint(Adapter(LORA, "gone.safetensors"))


# Memory plans ------------------------------------------------------------------------------------


def offload_to_disk(studio):
    studio.under(MemoryPlan.GROUP_OFFLOAD)


def offload_parts(studio):
    """As with a card, which here is the CPU."""
    resident = studio.resident
    offload = Offload(resident.pipelines.values(), MemoryPlan.MODEL_OFFLOAD, "cpu", studio.folder.parent)
    studio.resident = replace(resident, offload=offload)


def offload_layers(studio):
    """As with a card, which here is the CPU."""
    from diffusers.hooks import apply_group_offloading

    pipeline, cpu = studio.pipeline(), torch_device("cpu")
    for name in ("unet", "vae", "text_encoder", "text_encoder_2"):
        if part := getattr(pipeline, name, None):
            apply_group_offloading(part, onload_device=cpu, offload_device=cpu, offload_type="leaf_level")
    studio.resident.offload.plan = MemoryPlan.GROUP_OFFLOAD


def torch_device(name):
    import torch

    return torch.device(name)


@pytest.mark.parametrize("offload", [offload_to_disk, offload_parts, offload_layers])
def test_adapters_survive_a_memory_plan(studio, looked_at, offload):
    adapters = (lora(studio.other), word(studio), picture(studio, looked_at))
    expected = studio.paint(*adapters, prompt="<sks>")
    drop(studio.resident)
    try:
        offload(studio)
        for _ in range(2):
            assert numpy.abs(studio.paint(*adapters, prompt="<sks>") - expected).max() < NEAR
            assert numpy.abs(studio.paint() - call(studio.plain())).max() < NEAR
    finally:
        studio.residency.clear()
        studio.under(MemoryPlan.RESIDENT)


def test_with_parts_in_turn_each_is_hooked_again_behind_a_call(studio, looked_at):
    try:
        offload_parts(studio)
        studio.paint(lora(studio.other), word(studio), picture(studio, looked_at), prompt="<sks>")
        assert all(hasattr(studio.pipeline().components[name], "_hf_hook") for name in ("unet", "vae", "text_encoder"))
        assert not hasattr(studio.pipeline().unet.conv_in, "_hf_hook")
    finally:
        studio.residency.clear()
        studio.under(MemoryPlan.RESIDENT)


def test_with_layers_in_turn_those_of_a_lora_are_among_them(studio):
    try:
        offload_layers(studio)
        studio.paint(lora(studio.other))
        layers = [name for name, each in studio.pipeline().unet.named_modules() if hasattr(each, "_diffusers_hook")]
        assert any(".lora_A." in name for name in layers)
    finally:
        studio.residency.clear()
        studio.under(MemoryPlan.RESIDENT)


# Whole runs --------------------------------------------------------------------------------------


def test_a_request_with_a_lora_is_run_and_tells_what_matched(studio):
    def run(*adapters):
        stage = Stage(StageKind.TEXT_TO_IMAGE, str(studio.folder), "the cat", steps=2, adapters=adapters)
        request = make_request(stages=(stage,), width=64, height=64)
        return engine.run(request, Recorder(), NEVER)

    with closing(DiffusersEngine(Path, threads=1, find_adapter=studio.find)) as engine:
        base, adapted_run = run(), run(lora(studio.other))
        assert adapted_run.image.tobytes() != base.image.tobytes()
        assert any("layers matched" in note for note in adapted_run.notes)
        assert run(lora(studio.other, 0.0)).image.tobytes() == run().image.tobytes() == base.image.tobytes()


def test_the_child_finds_adapters_in_its_data_folder(studio):
    stage = Stage(StageKind.TEXT_TO_IMAGE, str(studio.folder), "the cat", steps=2, adapters=(lora(studio.other),))
    with closing(EngineProcess(studio.paths.data_dir, threads=1)) as engine:
        result = engine.run(make_request(stages=(stage,), width=64, height=64), Recorder(), NEVER)
    assert any(note.startswith("other: ") for note in result.notes)
