"""Files that lie beside cubes and are none, told by their names: masks, previews, geometry, class maps, libraries."""

from __future__ import annotations

import re
from pathlib import Path

from datamodules.scenes.readers.envi_header import read_entries, stated_wavelengths

FOLDERS = ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found")
"""Folders that systems leave behind, beside hidden ones."""

_ENDS = {
    **dict.fromkeys(("mask", "masks", "cloudmask", "cloud", "qa"), "mask"),
    **dict.fromkeys(("rgb", "preview", "browse", "quicklook", "ql", "thumb", "thumbnail", "overview"), "preview"),
    **dict.fromkeys(("gt", "groundtruth", "label", "labels", "classes", "classification", "classmap"), "class map"),
    **dict.fromkeys(("uncert", "uncertainty", "unc", "rfluncert", "snr"), "uncertainty"),
    **dict.fromkeys(("glt", "igm", "loc", "obs", "dem", "geometry"), "geometry"),
}
"""Last words of names, and what they mean."""
_REFERENCE = re.compile(r"^(dark|white|whitedark)_?ref(erence)?_", re.IGNORECASE)
"""References that line cameras leave beside a capture: `DARKREF_scan.raw`, `WHITEREF_scan.raw`."""
_ANYWHERE = {"ql": "preview", "quicklook": "preview", "browse": "preview", "thumbnail": "preview"}
_AFTER = {"ort", "img", "bsq", "bil", "bip", "map", "image"}
"""Words that may follow: `ang20180101t200000_rdn_obs_ort`."""
_EMIT = re.compile(r"^emit_l\d\w?_(mask|maskuncert|rfluncert|obs)_", re.IGNORECASE)
_NO_IMAGE = {"spectral library": "spectral library", "classification": "class map"}


def companion_kind(path: Path) -> str:
    """Return what a file of a known ending is, if its name says that it is no cube; an empty text if it may be one."""
    if _EMIT.match(path.name):
        return (
            "mask"
            if "mask" in path.name.lower().split("_")[2]
            else "geometry"
            if "_obs_" in path.name.lower()
            else "uncertainty"
        )
    if _REFERENCE.match(path.name):
        return "reference"
    words = [word for word in re.split(r"[_\-. ()]+", path.stem.lower()) if word]
    while len(words) > 2 and words[-1] in _AFTER:
        words.pop()
    if len(words) < 2:
        return ""
    if words[-2:] == ["ground", "truth"]:
        return "class map"
    kind = _ENDS.get(words[-1], "")
    if kind == "geometry" and path.suffix.lower() in (".npy", ".mat", ".npz"):
        # Words of one sensor family's ENVI files; `scene_obs.npy` is somebody's observation.
        kind = ""
    return kind or next((_ANYWHERE[word] for word in words if word in _ANYWHERE), "")


def envi_companion_kind(image: Path, header: Path) -> str:
    """Return what an ENVI image is, if header or name says that it is no cube; an empty text if it may be one."""
    try:
        entries = read_entries(header)
    except (ValueError, OSError):
        return ""
    kind = str(entries.get("file type", "")).lower()
    if found := next((name for word, name in _NO_IMAGE.items() if word in kind), ""):
        return found
    if image.suffix.lower() in (".sli", ".slb"):
        return "spectral library"
    named = companion_kind(image)
    if named in ("", "reference"):
        # References have the bands of the capture beside them.
        return named
    bands = str(entries.get("bands", "0"))
    # Geometry and masks have no wavelengths, whatever a cube of such a name may be.
    stated = stated_wavelengths(entries, int(bands) if bands.isdigit() else 0)
    return "" if stated is not None else named
