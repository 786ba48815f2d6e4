"""BP4D's occurrence codes as distributed, with crops from the command `crop`.

    AUCoding/AU_OCC/F001_T1.csv            header: one cell, then AU numbers; rows: frame, then 0, 1 or 9 per AU
    cropped_aligned/F001_T1/00001.jpg …    frame number as in the codes

9 means not coded: label −1, ignored in training. The subject is the part of the name before the task.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..synthetic.aus import AUS
from .abaw import Video


def read(root: Path) -> list[Video]:
    """One video per subject and task. Raises FileNotFoundError without codes, and ValueError with file and line for
    invalid rows."""
    folder = root / "AUCoding" / "AU_OCC"
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is missing: point --data at the folder that holds AUCoding/AU_OCC")
    videos = [_video(f, root / "cropped_aligned" / f.stem) for f in sorted(folder.glob("*.csv"))]
    return [v for v in videos if len(v.frames)]


def _video(file: Path, crops: Path) -> Video:
    header, *lines = file.read_text().splitlines() or [""]
    codes = [c.strip() for c in header.split(",")][1:]
    if not all(c.isdigit() for c in codes) or not set(codes) & {str(a) for a in AUS}:
        raise ValueError(f"{file}:1: header does not name Action Units by number: '{header}'")
    at = {k: codes.index(str(au)) + 1 for k, au in enumerate(AUS) if str(au) in codes}
    present = {p.name for p in crops.iterdir()} if crops.is_dir() else set()
    frames, rows = [], []
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        cells = [c.strip() for c in line.split(",")]
        if len(cells) != len(codes) + 1 or not cells[0].isdigit() or not set(cells[1:]) <= {"0", "1", "9"}:
            raise ValueError(f"{file}:{number}: not a frame and {len(codes)} values of 0, 1 or 9: '{line}'")
        if f"{int(cells[0]):05d}.jpg" not in present:
            continue
        frames.append(int(cells[0]))
        rows.append([-1 if k not in at or cells[at[k]] == "9" else int(cells[at[k]]) for k in range(12)])
    return Video(
        file.stem, file.stem.split("_")[0], np.array(frames, np.int64), tuple(crops / f"{f:05d}.jpg" for f in frames),
        np.array(rows, np.int8).reshape(-1, 12),
    )
