"""AdapterInfo: what is known of an adapter without loading it; and which adapters a checkpoint can be run with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.conditions import Adapter, AdapterKind
from desktop_app.core.errors import RequestError, StudioError
from desktop_app.core.families import SD, SDXL
from desktop_app.core.family import Family

_LINES = {
    f"{SD} inpainting": SD,
    "Latent Consistency": SD,
    f"{SDXL} inpainting": SDXL,
    "Flux Schnell": "Flux",
    "Flux Kontext": "Flux",
    "Flux 2 Klein Base": "Flux 2 Klein",
    "Qwen-Image Edit": "Qwen-Image",
    "Qwen-Image Edit Plus": "Qwen-Image",
}
"""Families whose denoiser has the layers of another one: adapters for that fit them too."""

_WIDTHS = {768: "Stable Diffusion 1", 1024: "Stable Diffusion 2", 1280: f"{SDXL}'s refiner", 2048: SDXL}
"""By how many numbers the denoiser is told of each token."""


@dataclass(frozen=True)
class AdapterInfo:
    """Read from the header of its file.

    ``families`` are the labels of those that it can be for, as far as its layers tell; none where they tell nothing,
    and ``reason`` is then why. ``width`` is how many numbers the denoiser or the text encoder is told of each token, 0
    where the file does not say. ``rank`` and ``layers`` are a LoRA's, ``token`` and ``vectors`` a textual
    inversion's; ``encoders`` are the encoders that one is for, by the names of the layers in its file.

    ``image_width`` is what an IP-Adapter is told of a picture, in numbers; ``is_pooled`` where that is the picture as a
    whole, not its parts; ``image_encoder`` the folder of the part that makes it, None where there is none that fits.
    ``note`` is a sentence that the user should know, or empty. ``sha256`` is that of the file, empty while nobody has
    read it.
    """

    ref: str
    label: str
    path: Path
    kind: AdapterKind
    size_bytes: int
    families: tuple[str, ...] = ()
    reason: str = ""
    width: int = 0
    rank: int = 0
    layers: int = 0
    title: str = ""
    trigger_words: tuple[str, ...] = ()
    token: str = ""
    vectors: int = 0
    encoders: tuple[str, ...] = ()
    image_width: int = 0
    is_pooled: bool = True
    image_encoder: Path | None = None
    note: str = ""
    sha256: str = ""

    @property
    def family_text(self) -> str:
        """What it is for, as the user reads it; empty where that is not known."""
        if self.width in _WIDTHS and len(self.families) == 1:
            return _WIDTHS[self.width]
        return " or ".join(self.families)


@dataclass(frozen=True)
class FoundAdapter:
    """The file of an adapter, checked; ``note`` is a sentence to be told, or empty."""

    info: AdapterInfo
    note: str = ""

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.info.path


DescribeAdapter = Callable[[Adapter], AdapterInfo]
"""What is known of an adapter; raises `StudioError`."""

FindAdapter = Callable[[Adapter], FoundAdapter]
"""The file of an adapter, the one that it had when it was chosen; raises `StudioError`."""


def line_of(label: str) -> str:
    """The family whose adapters fit the one with this label."""
    return _LINES.get(label, label)


def active(adapters: Sequence[Adapter]) -> tuple[Adapter, ...]:
    """Those that change the picture: they are on, and weigh something."""
    return tuple(adapter for adapter in adapters if adapter.is_on and adapter.weight != 0)


def misfit(info: AdapterInfo, checkpoint: CheckpointInfo, family: Family) -> str:
    """Why the adapter cannot be used with the checkpoint, in one sentence; empty where it can, or nobody knows."""
    if info.kind not in family.adapters:
        if not family.adapters:
            return family.reason("adapters")
        return f"{family.label} takes no {info.kind.value}."
    if info.families and line_of(family.label) not in info.families:
        return f"It is for {info.family_text}, and {checkpoint.label} is of the family {checkpoint.family}."
    if info.width and checkpoint.text_width and not _fits_width(info, checkpoint.text_width):
        return (
            f"It is for {_WIDTHS.get(info.width, 'another checkpoint')}, whose words are {info.width} numbers each; "
            f"those of {checkpoint.label} are {checkpoint.text_width}."
        )
    return ""


def _fits_width(info: AdapterInfo, width: int) -> bool:
    """Stable Diffusion XL's denoiser reads two encoders at once, of which a textual inversion names the first."""
    return info.width == width or (info.kind is AdapterKind.TEXTUAL_INVERSION and len(info.encoders) > 1)


def check_adapters(
    adapters: Sequence[Adapter], checkpoint: CheckpointInfo, family: Family, describe: DescribeAdapter | None
) -> None:
    """Raise `RequestError` unless the checkpoint can be run with those of ``adapters`` that are on. ``describe`` tells
    of each; None takes them as they are.
    """
    chosen = active(adapters)
    if chosen and not family.takes("adapters"):
        detail = f"{checkpoint.label} ({checkpoint.family}): {family.reason('adapters').rstrip('.')}"
        raise _refused("This checkpoint takes no adapters", detail, "Switch them off, or choose another checkpoint.")
    if describe is None:
        return
    infos = [(adapter, _describe(describe, adapter)) for adapter in chosen]
    for adapter, info in infos:
        if adapter.kind is not info.kind:
            detail = f"{info.label} is a {info.kind.value}, not a {adapter.kind.value}"
            raise _refused("The adapter is of another kind", detail, "Remove it and add it again.")
        if reason := misfit(info, checkpoint, family):
            hint = "Switch it off, or choose a checkpoint that it is for."
            raise _refused("The adapter does not fit the checkpoint", f"{info.label}: {reason.rstrip('.')}", hint)
    _check_pictures(infos)
    _check_once(infos)


def named_for_good(adapters: Sequence[Adapter], describe: DescribeAdapter | None) -> tuple[Adapter, ...]:
    """``adapters`` as a request has them. One that nobody has read yet, as in a recipe that somebody wrote, gets the
    REF and the hash of its file, and a textual inversion its word: so the request finds the same contents again from
    anywhere, whatever the file is called then.
    """
    return tuple(_named(adapter, _describe(describe, adapter)) if describe else adapter for adapter in adapters)


def _named(adapter: Adapter, info: AdapterInfo) -> Adapter:
    token = token_of(adapter, info) if adapter.kind is AdapterKind.TEXTUAL_INVERSION else adapter.token
    if adapter.sha256 or not info.sha256:
        return replace(adapter, token=token)
    return replace(adapter, ref=info.ref, sha256=info.sha256, token=token)


def token_of(adapter: Adapter, info: AdapterInfo) -> str:
    """The word that calls a textual inversion."""
    return adapter.token or info.token


def unused_adapters(adapters: Sequence[Adapter], prompts: Sequence[str], describe: DescribeAdapter) -> tuple[str, ...]:
    """A sentence (without full stop) for each textual inversion that none of ``prompts`` calls."""
    sentences = []
    for adapter in active(adapters):
        if adapter.kind is AdapterKind.TEXTUAL_INVERSION:
            info = _describe(describe, adapter)
            token = token_of(adapter, info)
            if not any(token in prompt for prompt in prompts):
                sentences.append(f"{info.label} is not used. Its word, {token}, is not in the prompt")
    return tuple(sentences)


def _describe(describe: DescribeAdapter, adapter: Adapter) -> AdapterInfo:
    try:
        return describe(adapter)
    except StudioError as e:
        raise _refused(e.title, e.detail, e.hint) from e


def _check_pictures(infos: Sequence[tuple[Adapter, AdapterInfo]]) -> None:
    """An IP-Adapter needs a picture and an encoder for it; a pipeline has one encoder only."""
    folders = {}
    for adapter, info in infos:
        if info.kind is not AdapterKind.IP_ADAPTER:
            continue
        if adapter.image is None:
            raise _refused(
                "An IP-Adapter has no picture", info.label, "Give it a picture to look at, or switch it off."
            )
        if info.image_encoder is None:
            raise _refused("The image encoder is missing", f"{info.label}: {info.note.rstrip('.')}", _WHERE)
        folders[info.image_encoder] = info
    if len(folders) > 1:
        names = " and ".join(info.label for info in folders.values())
        raise _refused("These IP-Adapters need different image encoders", names, "Switch one of them off.")


_WHERE = (
    "Put the folder image_encoder from where the IP-Adapter was published beside its file, or into the folder adapters."
)


def _check_once(infos: Sequence[tuple[Adapter, AdapterInfo]]) -> None:
    """The same LoRA, under one name or two, or the same word, may not be there twice."""
    loras = [(adapter, info) for adapter, info in infos if info.kind is AdapterKind.LORA]
    names: dict[str, list[str]] = {}
    for adapter, info in loras:
        names.setdefault(adapter.sha256 or info.sha256 or str(info.path), []).append(info.label)
    for same in names.values():
        if len(same) > 1:
            detail = " and ".join(dict.fromkeys(same))
            raise _refused("An adapter is there twice", detail, "Remove one of the two, and set the other's weight.")
    words = Counter(token_of(adapter, info) for adapter, info in infos if info.kind is AdapterKind.TEXTUAL_INVERSION)
    for word, count in words.items():
        if not word or word != "".join(word.split()):
            hint = "Give it a word without spaces, such as <style>."
            raise _refused("A textual inversion has no word that calls it", repr(word), hint)
        if count > 1:
            raise _refused("Two textual inversions are called by the same word", word, "Give one another word.")


def _refused(title: str, detail: str, hint: str) -> RequestError:
    return RequestError(title, detail, hint, param="adapters")
