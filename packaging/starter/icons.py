"""Icons to train on: fetched from the npm registry at pinned versions, rendered, and joined with what they are called.

python packaging/starter/icons.py WORK        (needs npm, and resvg-py from the extra "starter")
"""

from __future__ import annotations

import argparse
import io
import json
import re
import subprocess
import tarfile
import unicodedata
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIDE = 128
MIN_COVER = 0.04
"""Icons that fill less than this share of their square are left out: letters, dots and dashes."""

SETS = {"fluent-emoji-flat": "flat", "fluent-emoji": "glossy", "noto": "cartoon"}
"""Icon sets to learn from, and the style word of each. Fluent Emoji is under MIT, Noto Emoji under Apache-2.0."""

HELD_OUT = {"twemoji": "twemoji", "noto-v1": "blob"}
"""Sets that only the judge sees, to know how it does on a style that the checkpoint never saw."""

VERSIONS = {
    "@iconify-json/fluent-emoji-flat": "1.2.6",
    "@iconify-json/fluent-emoji": "1.2.7",
    "@iconify-json/noto": "1.2.9",
    "@iconify-json/twemoji": "1.2.5",
    "@iconify-json/noto-v1": "1.2.5",
    "emojibase-data": "17.0.0",
    "unicode-emoji-json": "0.9.0",
}

Job = tuple[str, str, str]
"""Name, style and SVG of an icon."""


def main() -> None:
    """Fetch and render."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    fetch_icons(parser.parse_args().work)


def fetch_icons(work: Path) -> None:
    """Fetch what is missing, render everything, and write ``icons.npy`` and, last, ``icons.json``."""
    if (work / "icons.json").is_file():
        return
    for package, version in VERSIONS.items():
        fetch(work / "npm", package, version)
    names = read_names(work / "npm")
    sets = {**SETS, **HELD_OUT}
    jobs = [job for folder, style in sets.items() for job in read_set(work / "npm", folder, style, names)]
    with ProcessPoolExecutor() as pool:
        pictures = list(pool.map(render, jobs, chunksize=32))
    kept = [(job, picture) for job, picture in zip(jobs, pictures, strict=True) if picture is not None]
    np.save(work / "icons.npy", np.stack([picture for _, picture in kept]))
    items = [{"name": name, "style": style, **names[name]} for (name, style, _), _ in kept]
    (work / "icons.json").write_text(json.dumps(items, ensure_ascii=False), encoding="utf-8")
    print(f"{len(kept)} of {len(jobs)} icons rendered")


def fetch(folder: Path, package: str, version: str) -> None:
    """Unpack ``package`` into ``folder``, from a tarball that npm has checked."""
    target = folder / package.rpartition("/")[2]
    if target.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    tarball = folder / f"{package.lstrip('@').replace('/', '-')}-{version}.tgz"
    if not tarball.is_file():
        subprocess.run(["npm", "pack", "--silent", f"{package}@{version}"], cwd=folder, check=True)
    with tarfile.open(tarball) as archive:
        archive.extractall(target, filter="data")


def read_names(folder: Path) -> dict[str, dict[str, Any]]:
    """Label, tags and group of each emoji, by the slug that the icon sets use."""
    base = folder / "emojibase-data" / "package"
    groups = json.loads((base / "meta" / "groups.json").read_bytes())["groups"]
    other = json.loads((folder / "unicode-emoji-json" / "package" / "data-by-emoji.json").read_bytes())
    names: dict[str, dict[str, Any]] = {}
    for emoji in json.loads((base / "en" / "data.json").read_bytes()):
        facts = {
            "label": emoji["label"],
            "tags": emoji.get("tags", []),
            "group": groups.get(str(emoji.get("group")), ""),
        }
        names.setdefault(slug(emoji["label"]), facts)
        if emoji["emoji"] in other:
            names.setdefault(slug(other[emoji["emoji"]]["name"]), facts)
    return names


def slug(label: str) -> str:
    """``label`` in lower case, without accents and apostrophes, with dashes for the rest."""
    plain = unicodedata.normalize("NFKD", label.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.replace("'", "")).strip("-")


def read_set(folder: Path, name: str, style: str, names: dict[str, dict[str, Any]]) -> list[Job]:
    """The icons of one set whose names are known."""
    data = json.loads((folder / name / "package" / "icons.json").read_bytes())
    width, height = data.get("width", 16), data.get("height", 16)
    jobs = []
    for icon, entry in data["icons"].items():
        if icon in names:
            box = f"0 0 {entry.get('width', width)} {entry.get('height', height)}"
            spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
            jobs.append((icon, style, f'<svg {spaces} viewBox="{box}">{entry["body"]}</svg>'))
    return jobs


def render(job: Job) -> np.ndarray | None:
    """RGBA pixels of an icon, or None where there is hardly anything to see."""
    import resvg_py

    png = resvg_py.svg_to_bytes(svg_string=job[2], width=SIDE, height=SIDE, skip_system_fonts=True)
    with Image.open(io.BytesIO(bytes(png))) as image:
        picture = image.convert("RGBA").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    pixels = np.asarray(picture)
    return pixels if (pixels[..., 3] > 40).mean() > MIN_COVER else None


if __name__ == "__main__":
    main()
