"""What is said of an adapter, and what its weight may be."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from desktop_app.core.adapter import AdapterInfo
from desktop_app.core.conditions import Adapter, AdapterKind
from desktop_app.core.errors import StudioError
from desktop_app.core.params import ParamSpec
from desktop_app.ui.texts import QT_TRANSLATE_NOOP, file_size, plural

_WEIGHT = QT_TRANSLATE_NOOP("Params", "Weight")
_TIPS = {
    AdapterKind.LORA: QT_TRANSLATE_NOOP(
        "Params",
        "How much the LoRA counts. 1 is usual, 0 is off; below 0 the picture moves away from what it teaches.",
    ),
    AdapterKind.TEXTUAL_INVERSION: QT_TRANSLATE_NOOP("Params", "How strong the word is. 1 is usual, 0 is off."),
    AdapterKind.IP_ADAPTER: QT_TRANSLATE_NOOP(
        "Params",
        "How much the picture counts beside the prompt. 1 is usual, 0 is off; 0.6 leaves room for the prompt.",
    ),
}
_RANGES = {AdapterKind.LORA: (-2.0, 2.0)}
_USUAL_RANGE = (0.0, 2.0)

_KINDS = {
    AdapterKind.LORA: QT_TRANSLATE_NOOP("Adapters", "LoRA"),
    AdapterKind.TEXTUAL_INVERSION: QT_TRANSLATE_NOOP("Adapters", "textual inversion"),
    AdapterKind.IP_ADAPTER: QT_TRANSLATE_NOOP("Adapters", "IP-Adapter"),
}


def weight_spec(kind: AdapterKind) -> ParamSpec:
    """What the weight of an adapter of this kind may be on its slider."""
    least, most = _RANGES.get(kind, _USUAL_RANGE)
    return ParamSpec("weight", _WEIGHT, float, _TIPS[kind], least, most, 0.05)


def kind_text(kind: AdapterKind) -> str:
    """The name of the kind."""
    return _tr(_KINDS[kind])


def name_of(adapter: Adapter, known: AdapterInfo | StudioError | None) -> str:
    """What the adapter is called."""
    if isinstance(known, AdapterInfo):
        return known.label
    return adapter.ref.replace("\\", "/").rpartition("/")[2].removesuffix(".safetensors")


def facts_text(kind: AdapterKind, known: AdapterInfo | StudioError | None) -> str:
    """One line: its kind, what it is for, and how large it is."""
    if not isinstance(known, AdapterInfo):
        return kind_text(kind) if known is not None else _tr("%1 · being read…").replace("%1", kind_text(kind))
    parts = [kind_text(kind), known.family_text or _tr("for an unknown family")]
    if known.rank:
        parts.append(_tr("rank %1").replace("%1", str(known.rank)))
    if known.vectors:
        parts.append(plural(known.vectors, _tr("1 vector"), _tr("%1 vectors")))
    return " · ".join([*parts, file_size(known.size_bytes)])


def tip_text(adapter: Adapter, known: AdapterInfo | StudioError | None) -> str:
    """Where it is, what its maker calls it, and what else is known."""
    if not isinstance(known, AdapterInfo):
        return adapter.ref
    title = known.title if known.title != known.label else ""
    lines = [title, str(known.path), known.reason, f"sha256 {adapter.sha256[:16]}…" if adapter.sha256 else ""]
    return "\n".join(line for line in lines if line)


def problem_text(known: StudioError) -> str:
    """Why it cannot be used, and what to do."""
    return f"{known.title}: {known.detail}. {known.hint}".replace(": . ", ". ").replace("..", ".").strip()


def _tr(text: str) -> str:
    return QCoreApplication.translate("Adapters", text)
