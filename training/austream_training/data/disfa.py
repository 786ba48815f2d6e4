"""DISFA's labels as distributed, with crops from the command `crop`.

    ActionUnit_Labels/SN001/SN001_au1.txt   one row `frame,intensity` per frame, frames from 1, intensities 0…5
    cropped_aligned/SN001/00001.jpg …       made from Videos_LeftCamera/LeftVideoSN001_comp.avi

Twelve AUs are coded (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26). AUs 7, 10, 23 and 24 are not, and stay −1. An AU is
active from intensity 2, as in most of the literature.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..synthetic.aus import AUS
from .abaw import Video

ACTIVE = 2


def read(root: Path) -> list[Video]:
    """One video per subject. Raises FileNotFoundError without labels, ValueError with file and line for invalid rows."""
    folder = root / "ActionUnit_Labels"
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is missing: point --data at the folder that holds ActionUnit_Labels")
    return [v for subject in sorted(folder.iterdir()) if subject.is_dir() and len((v := _subject(subject, root)).frames)]


def _subject(folder: Path, root: Path) -> Video:
    columns: dict[int, dict[int, int]] = {}
    for k, au in enumerate(AUS):
        file = folder / f"{folder.name}_au{au}.txt"
        if file.is_file():
            columns[k] = _column(file)
    if not columns:
        raise ValueError(f"{folder} holds no {folder.name}_au<N>.txt")
    crops = root / "cropped_aligned" / folder.name
    present = {p.name for p in crops.iterdir()} if crops.is_dir() else set()
    coded = set.intersection(*(set(c) for c in columns.values()))
    frames = sorted(f for f in coded if f"{f:05d}.jpg" in present)
    labels = np.full((len(frames), 12), -1, np.int8)
    for k, column in columns.items():
        labels[:, k] = [column[f] >= ACTIVE for f in frames]
    return Video(folder.name, folder.name, np.array(frames, np.int64), tuple(crops / f"{f:05d}.jpg" for f in frames), labels)


def _column(file: Path) -> dict[int, int]:
    out = {}
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        cells = line.split(",")
        if len(cells) != 2 or not all(c.strip().isdigit() for c in cells) or int(cells[1]) > 5:
            raise ValueError(f"{file}:{number}: not `frame,intensity` with an intensity of 0 to 5: '{line}'")
        out[int(cells[0])] = int(cells[1])
    return out
