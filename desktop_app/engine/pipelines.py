"""Loads a checkpoint as pipelines of diffusers, one for each kind of stage that its family can run."""

from __future__ import annotations

import json
import logging
from inspect import signature
from pathlib import Path
from typing import Any

from desktop_app.core.family import NOT_LOADED, Family
from desktop_app.core.request import StageKind
from desktop_app.engine.calls import pipeline_class
from desktop_app.engine.processors import OWN_PROCESSORS, load_processor
from desktop_app.engine.single_file import load_components
from desktop_app.store.any_checkpoint import family_at
from desktop_app.store.checkpoint_files import choose_variant, has_variant
from desktop_app.store.checkpoint_index import COMPONENTS, INDEX_NAME
from desktop_app.store.single_file import read_layout

HARMLESS = (
    "Expected types for ",  # a checkpoint may bring AutoencoderTiny, and processors here are our own
    "You have passed a non-standard module",  # a text encoder that diffusers itself has
    "`use_return_dict` is deprecated",  # in the code of that one
    "but are not expected and will be ignored. Please verify your",  # its old config keys
    "should be kept in float32: []",  # said of a model that has no such parts, whenever it is cast
    "The following part of your input was truncated because ",  # said in the result's notes
    "Token indices sequence length is longer than",
    "requires torchvision (not installed)",  # the slower way does the same
    "Attention backends are an experimental feature",  # said of each way that the user may choose
    "cannot run with `cpu` device",  # half precision only waits there for its turn on the card
)
"""Parts of log lines of the libraries that say nothing to be done."""


class HarmlessFilter(logging.Filter):
    """Keeps the lines of `HARMLESS` out of the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether ``record`` may pass."""
        text = record.getMessage()
        return not any(part in text for part in HARMLESS) and not _tells_only_of_more(text)


def _tells_only_of_more(text: str) -> bool:
    """Whether it is the library's report of weights in a file that its class does not use, and of nothing worse."""
    return "LOAD REPORT" in text and not any(word in text for word in ("MISSING", "MISMATCH", "CONVERSION"))


def quieten_libraries() -> None:
    """Send the libraries' log lines the way of ours, without those that are harmless."""
    import diffusers.utils.logging as diffusers_logging
    import transformers.utils.logging as transformers_logging

    for library in (diffusers_logging, transformers_logging):
        library.disable_default_handler()
        library.enable_propagation()
        library.disable_progress_bar()
    for name in (
        "diffusers.configuration_utils",
        "diffusers.models.modeling_utils",
        "diffusers.pipelines.pipeline_loading_utils",
        "diffusers.pipelines.pipeline_utils",
        "transformers.configuration_utils",
        "transformers.modeling_utils",
        "transformers.tokenization_utils_base",
        "transformers.utils.import_utils",
    ):
        _quieten(name)


def _quieten(name: str) -> None:
    """Keep harmless lines of the logger ``name`` out of the log."""
    logger = logging.getLogger(name)
    if not any(isinstance(known, HarmlessFilter) for known in logger.filters):
        logger.addFilter(HarmlessFilter())


def load_pipelines(path: Path, dtype: Any, device: str) -> dict[StageKind, Any]:
    """A pipeline for each kind of stage of the folder or the single file ``path``, all with the same components in
    memory once.
    """
    family = family_at(path)
    kinds = {kind: pipeline_class(name) for kind, name in family.pipelines.items()}
    for each in kinds.values():
        _quieten(each.__module__)
    first_class = next(iter(kinds.values()))
    if path.is_file():
        first = _build(first_class, load_components(path, read_layout(path), dtype))
    else:
        first = _load_folder(path, family, first_class, dtype)
    _check_whole(first, family)
    first.to(device)
    pipelines = {kind: _sibling(each, first) for kind, each in kinds.items()}
    for pipeline in pipelines.values():
        pipeline.set_progress_bar_config(disable=True)
    return pipelines


def _load_folder(folder: Path, family: Family, first_class: Any, dtype: Any) -> Any:
    index = json.loads((folder / INDEX_NAME).read_bytes())
    left_out: dict[str, Any] = {part: None for part in _left_out(index) if part not in family.weighted}
    if "safety_checker" in left_out and "requires_safety_checker" in signature(first_class.__init__).parameters:
        left_out["requires_safety_checker"] = False
    options = {"dtype": dtype, "local_files_only": True, "use_safetensors": True}
    variant = choose_variant(folder, family.weighted) or None
    loaded = {
        part: _load_encoder(folder, part, index[part], variant, options)
        for part in (*family.text_encoders, *family.others)
        if index[part][0] != "diffusers"
    }
    named = {part: index[part][1] for part in (*family.tokenizers, *family.processors)}
    processors = {part: load_processor(folder / part, name) for part, name in named.items() if name in OWN_PROCESSORS}
    left_out |= dict.fromkeys(processors)
    pipeline = first_class.from_pretrained(str(folder), variant=variant, **loaded, **options, **left_out)
    pipeline.register_modules(**processors)
    return pipeline


def _sibling(pipeline_class: Any, first: Any) -> Any:
    """A pipeline of another class on the components of ``first`` and with its switches.

    The classes' own ``from_pipe`` casts what is shared to full precision.
    """
    if type(first) is pipeline_class:
        return first
    return _build(pipeline_class, {"requires_safety_checker": False, **first.config, **first.components})


def _build(pipeline_class: Any, known: dict[str, Any]) -> Any:
    """A pipeline of what it takes of ``known``: components and switches by name."""
    names = list(signature(pipeline_class.__init__).parameters)[1:]
    return pipeline_class(**{name: known[name] for name in names if name in known})


def _left_out(index: dict[str, Any]) -> list[str]:
    """Parts that are not loaded: those that no stage uses, and those that the checkpoint itself leaves out."""
    return [part for part, entry in index.items() if part in NOT_LOADED or entry == [None, None]]


def _load_encoder(folder: Path, part: str, entry: list[str], variant: str | None, options: dict[str, Any]) -> Any:
    """By itself, since transformers fills weights that are not in the file with random ones and only logs that."""
    import diffusers
    import transformers

    library, class_name = entry
    if f"{library}.{class_name}" not in COMPONENTS[part]:
        raise ValueError(f"{part} is of the unknown class {class_name}")
    loader = getattr(transformers if library == "transformers" else getattr(diffusers.pipelines, library), class_name)
    chosen = variant if variant and has_variant(folder, part, variant) else None
    model, info = loader.from_pretrained(str(folder / part), output_loading_info=True, variant=chosen, **options)
    if info["missing_keys"]:
        raise ValueError(f"{part} lacks {min(info['missing_keys'])}")
    return model


def _check_whole(pipeline: Any, family: Family) -> None:
    """Raise ValueError where a part lacks weights; diffusers leaves those without content."""
    for name in family.weighted:
        lacking = [key for key, weight in getattr(pipeline, name).named_parameters() if weight.is_meta]
        if lacking:
            raise ValueError(f"{name} lacks {min(lacking)}")
