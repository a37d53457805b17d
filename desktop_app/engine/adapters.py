"""Adapters around the call of a pipeline: LoRAs, textual inversions and IP-Adapters.

The pipelines of a checkpoint share their parts, and a LoRA or an IP-Adapter changes the parts. So all is switched off
behind a call, bit for bit; LoRAs stay loaded, to be switched on again, until nobody has asked for them for a while.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from desktop_app.core.adapter import AdapterInfo, FindAdapter, FoundAdapter, active
from desktop_app.core.conditions import Adapter, AdapterKind
from desktop_app.core.errors import RequestError
from desktop_app.core.family import Family
from desktop_app.engine.adapter_images import Encoders, looking_at
from desktop_app.engine.adapter_words import knowing
from desktop_app.engine.faults import loading_adapter, quiet
from desktop_app.engine.offload import Offload
from desktop_app.engine.residency import Resident

IDLE_RUNS = 8
"""Calls without a LoRA, or an image encoder, after which it is removed."""


@dataclass(frozen=True)
class Adapted:
    """``arguments`` go into the call of the pipeline; ``notes`` are sentences to be told with the result."""

    arguments: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass
class _Lora:
    """One that is loaded, under ``name``; ``layers`` of ``total`` in its file have found their place. ``last`` is the
    number of the call that asked for it last.
    """

    name: str
    layers: int
    total: int
    last: int


_File = tuple[Path, int, int]
"""Path, size and time of the last change."""


@dataclass
class _Loaded:
    """What of adapters is in memory beside one checkpoint."""

    loras: dict[_File, _Lora] = field(default_factory=dict)
    encoders: Encoders = field(default_factory=Encoders)
    calls: int = 0
    looked: int = 0
    names: int = 0


_loaded: WeakKeyDictionary[Offload, _Loaded] = WeakKeyDictionary()
"""By the offload of each resident, which goes when that goes."""


@contextlib.contextmanager
def adapted(
    resident: Resident, pipeline: Any, family: Family, adapters: Sequence[Adapter], find_adapter: FindAdapter
) -> Iterator[Adapted]:
    """Inside, run ``pipeline``, one of ``resident`` or one that shares its parts: with those of ``adapters`` that are
    on and weigh something, and without any other.

    Enter it before `Offload.using`. Raises `RequestError` where one cannot be used, `CheckpointError` where its file
    cannot be found, `OutOfMemory`; then the pipeline is as it was.
    """
    found = [(adapter, find_adapter(adapter)) for adapter in active(adapters)]
    for adapter, each in found:
        _check(each.info, adapter, pipeline, family)
    loaded = _loaded.setdefault(resident.offload, _Loaded())
    loaded.calls += 1
    notes = [each.note for _adapter, each in found if each.note]
    notes += [f"{each.info.label}: {each.info.note}" for _adapter, each in found if each.info.note]
    try:
        notes += _switch(resident.offload, loaded, pipeline, _of_kind(found, AdapterKind.LORA))
        words = _of_kind(found, AdapterKind.TEXTUAL_INVERSION)
        pictures = _of_kind(found, AdapterKind.IP_ADAPTER)
        _forget_encoder(loaded, is_wanted=bool(pictures))
        with (
            knowing(resident.offload, pipeline, family, words),
            looking_at(resident.offload, loaded.encoders, pipeline, pictures) as arguments,
        ):
            yield Adapted(arguments, tuple(notes))
    finally:
        _switch_off(pipeline)


def drop(resident: Resident) -> None:
    """Let go of all that is loaded beside ``resident``: memory is short."""
    loaded = _loaded.pop(resident.offload, None)
    if loaded is None or not loaded.loras:
        return
    pipeline = next(iter(resident.pipelines.values()))
    _unload(resident.offload, loaded, pipeline)


def _forget_encoder(loaded: _Loaded, *, is_wanted: bool) -> None:
    """Let go of the image encoder that nobody has asked for for a while."""
    if is_wanted:
        loaded.looked = loaded.calls
    elif loaded.calls - loaded.looked > IDLE_RUNS:
        loaded.encoders = Encoders()


def _of_kind(found: Sequence[tuple[Adapter, FoundAdapter]], kind: AdapterKind) -> list[tuple[Adapter, AdapterInfo]]:
    return [(adapter, each.info) for adapter, each in found if each.info.kind is kind]


def _check(info: AdapterInfo, adapter: Adapter, pipeline: Any, family: Family) -> None:
    """Raise `RequestError` where the header tells that it does not fit. What the plan could not know is seen here."""
    if info.kind is not adapter.kind or info.kind not in family.adapters:
        detail = f"{info.label} is a {info.kind.value}, and {family.label} takes none"
        raise _refused("The adapter does not fit the checkpoint", detail)
    denoiser = getattr(pipeline, family.denoiser or "", None)
    width = getattr(getattr(denoiser, "config", None), "cross_attention_dim", None)
    is_told = info.width and isinstance(width, int) and info.kind is not AdapterKind.TEXTUAL_INVERSION
    if is_told and info.width != width:
        detail = f"{info.label} is for words of {info.width} numbers, and those of the checkpoint have {width}"
        raise _refused("The adapter does not fit the checkpoint", detail)


def _refused(title: str, detail: str) -> RequestError:
    hint = "Switch it off, or choose a checkpoint that it is for."
    return RequestError(title, detail, hint, param="adapters")


# LoRA --------------------------------------------------------------------------------------------


def _switch(
    offload: Offload, loaded: _Loaded, pipeline: Any, wanted: Sequence[tuple[Adapter, AdapterInfo]]
) -> list[str]:
    """Let the LoRAs in ``wanted`` count, each as much as it weighs, and no other; sentences to be told."""
    if not wanted and not loaded.loras:
        return []
    chosen = []
    missing = [info for _adapter, info in wanted if _file(info.path) not in loaded.loras]
    idle = [file for file, lora in loaded.loras.items() if loaded.calls - lora.last > IDLE_RUNS]
    if missing or idle:
        with offload.lifted(pipeline):
            _forget(loaded, pipeline, idle)
            for info in missing:
                _load(loaded, pipeline, info)
    for adapter, info in wanted:
        lora = loaded.loras[_file(info.path)]
        lora.last = loaded.calls
        chosen.append((lora, adapter.weight, info))
    if chosen:
        for tuner in _tuners(pipeline):
            tuner.enable_adapters(enabled=True)
        pipeline.set_adapters([lora.name for lora, _, _ in chosen], [weight for _, weight, _ in chosen])
    return [f"{info.label}: {lora.layers} of {lora.total} layers matched." for lora, _, info in chosen]


def _load(loaded: _Loaded, pipeline: Any, info: AdapterInfo) -> None:
    """Put the layers of the LoRA into the parts. Raises `RequestError`, `OutOfMemory`; then no LoRA is left there."""
    file = _file(info.path)
    loaded.names += 1
    name = f"lora{loaded.names}"
    try:
        with loading_adapter(info.label), quiet():
            total = _count_file(pipeline, info.path)
            layers = _inject(pipeline, info, name)
        if not layers:
            detail = f"{info.label}: none of its {total} layers has a counterpart in the checkpoint"
            raise _refused("The adapter does not fit the checkpoint", detail)
    except BaseException:
        pipeline.unload_lora_weights()
        loaded.loras.clear()
        raise
    loaded.loras[file] = _Lora(name, layers, total, loaded.calls)


def _inject(pipeline: Any, info: AdapterInfo, name: str) -> int:
    """Put in what has a counterpart; how many layers that were."""
    folder, file = str(info.path.parent), info.path.name
    try:
        pipeline.load_lora_weights(folder, weight_name=file, adapter_name=name, local_files_only=True)
    except RuntimeError as e:
        if "size mismatch" in str(e):
            detail = f"{info.label}: its layers have other sizes than those of the checkpoint"
            raise _refused("The adapter does not fit the checkpoint", detail) from e
        raise
    except ValueError as e:
        if "not found in the base model" in str(e):  # so PEFT says that it has put in nothing
            return 0
        raise
    return _count_layers(pipeline, name)


def _count_file(pipeline: Any, path: Path) -> int:
    """Layers in the file, by the names that the checkpoint has for them."""
    made = pipeline.lora_state_dict(str(path.parent), weight_name=path.name, local_files_only=True)
    state = made[0] if isinstance(made, tuple) else made
    return len({name.partition(".lora")[0].partition("_lora")[0] for name in state if "lora" in name})


def _count_layers(pipeline: Any, name: str) -> int:
    """Layers of the LoRA ``name`` that are in the parts."""
    stores = ("lora_A", "lora_embedding_A")
    return sum(any(name in getattr(tuner, store, ()) for store in stores) for tuner in _tuners(pipeline))


def _forget(loaded: _Loaded, pipeline: Any, files: Sequence[_File]) -> None:
    """Take the layers of these LoRAs out of the parts."""
    names = [loaded.loras.pop(file).name for file in files]
    if not names:
        return
    if not loaded.loras:
        pipeline.unload_lora_weights()
        return
    with quiet():  # of which one is active now, which is said anew at each call
        pipeline.delete_adapters(names)


def _unload(offload: Offload, loaded: _Loaded, pipeline: Any) -> None:
    with offload.lifted(pipeline):
        _forget(loaded, pipeline, list(loaded.loras))


def _switch_off(pipeline: Any) -> None:
    """Let each layer be as it is without any LoRA."""
    for tuner in _tuners(pipeline):
        tuner.enable_adapters(enabled=False)


def _tuners(pipeline: Any) -> list[Any]:
    """The layers in the parts of ``pipeline`` that have LoRAs beside them."""
    parts = [getattr(pipeline, name, None) for name in getattr(pipeline, "_lora_loadable_modules", ())]
    if not any(hasattr(part, "peft_config") for part in parts):
        return []
    from peft.tuners.tuners_utils import BaseTunerLayer

    return [
        module for part in parts if part is not None for module in part.modules() if isinstance(module, BaseTunerLayer)
    ]


def _file(path: Path) -> _File:
    status = path.stat()
    return path, status.st_size, status.st_mtime_ns
