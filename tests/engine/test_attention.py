"""How denoisers compute attention: PyTorch's own way, and what happens when another is asked for."""

from __future__ import annotations

import pytest
from tiny_flow import write_flux

from desktop_app.core.engine import ATTENTIONS
from desktop_app.engine import attention
from desktop_app.engine.pipelines import load_pipelines, quieten_libraries


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory, tiny_checkpoint):
    """One of each sort: a U-Net, and a transformer that asks for its backend by name."""
    import torch

    flux = write_flux(tmp_path_factory.mktemp("attention") / "flux")
    return [next(iter(load_pipelines(folder, torch.float32, "cpu").values())) for folder in (tiny_checkpoint, flux)]


def backends_of(part) -> set:
    processors = [getattr(module, "processor", None) for module in part.modules()]
    return {each._attention_backend for each in processors if hasattr(each, "_attention_backend")}


def test_pytorchs_own_way_is_the_default_and_says_what_else_there_is():
    assert attention.describe("") == "PyTorch SDPA (xFormers not installed)"
    assert attention.describe("sage") == "PyTorch SDPA (SageAttention not installed)"
    assert attention.installed() == {}


def test_what_is_installed_is_told_with_its_version(monkeypatch):
    monkeypatch.setattr(attention, "PACKAGES", {"xformers": "pillow", "flash": "no-such-package"})
    version = attention.installed()["xformers"]
    assert attention.describe("") == f"PyTorch SDPA (xFormers {version} is there, if asked for)"
    assert attention.describe("xformers") == f"xFormers {version}, where the checkpoint can use it"


@pytest.mark.parametrize("name", ["", "sdpa"])
def test_nothing_is_changed_where_nothing_else_is_asked_for(pipelines, name):
    assert attention.use(pipelines, name) == ""
    assert backends_of(pipelines[1].transformer) == {None}


@pytest.mark.parametrize("name", [name for name in ATTENTIONS if name not in attention.OWN])
def test_a_way_that_is_not_installed_is_told_and_changes_nothing(pipelines, name):
    assert attention.use(pipelines, name) == f"{ATTENTIONS[name]} is not installed; PyTorch's own attention was used."
    assert backends_of(pipelines[1].transformer) == {None}


def test_a_transformer_is_told_its_backend_and_others_are_not(pipelines):
    from diffusers.models.attention_dispatch import AttentionBackendName, _AttentionBackendRegistry

    quieten_libraries()  # it is said of any
    attention.set_backend(pipelines[1].transformer, "_native_math")
    assert backends_of(pipelines[1].transformer) == {AttentionBackendName._NATIVE_MATH}
    assert _AttentionBackendRegistry._active_backend is AttentionBackendName.NATIVE


def test_a_unet_refuses_a_backend_that_would_have_no_effect(pipelines):
    assert not attention.asks_for_backend(pipelines[0].unet)
    with pytest.raises(ValueError, match="no place for it"):
        attention.set_backend(pipelines[0].unet, "flash")


def test_what_diffusers_refuses_is_told_in_a_note(pipelines, monkeypatch):
    monkeypatch.setattr(attention, "PACKAGES", {"xformers": "pillow"})
    note = attention.use(pipelines[:1], "xformers")
    assert note.startswith("xFormers cannot be used here, PyTorch's own attention was (Refer to ")
