"""Aff-Wild2 as the ABAW challenges distribute it.

    AU_Detection_Challenge/{Train_Set,Validation_Set}/<video>.txt   header, then one row of 0, 1 or −1 per frame
    cropped_aligned/<video>/00001.jpg …                             1-based, 112×112, missing when no face was detected

A frame with any −1, or without its image, is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

HEADER = "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26"
SPLITS = {"train": "Train_Set", "val": "Validation_Set"}


@dataclass(frozen=True)
class Video:
    name: str
    subject: str
    frames: np.ndarray  # (N,) 1-based frame numbers, ascending
    files: tuple[Path, ...]  # (N,)
    labels: np.ndarray  # (N, 12) int8: 0, 1, or −1 for not coded (never in Aff-Wild2)


def read_video(annotation: Path, crops: Path) -> Video:
    """Raises ValueError with file and line when the annotation is not in the challenge's format."""
    lines = annotation.read_text().splitlines()
    if not lines or lines[0].replace(" ", "") != HEADER:
        raise ValueError(f"{annotation}:1: header is not '{HEADER}'")
    frames, files, rows = [], [], []
    folder = crops / annotation.stem
    present = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
    for number, line in enumerate(lines[1:], start=1):
        if not line.strip():
            continue
        row = [int(v) for v in line.split(",")]
        if len(row) != 12 or any(v not in (-1, 0, 1) for v in row):
            raise ValueError(f"{annotation}:{number + 1}: not 12 values of -1, 0 or 1: '{line}'")
        name = f"{number:05d}.jpg"
        if -1 in row or name not in present:
            continue
        frames.append(number)
        files.append(folder / name)
        rows.append(row)
    return Video(
        annotation.stem,
        subject_of(annotation.stem),
        np.array(frames, np.int64),
        tuple(files),
        np.array(rows, np.int8).reshape(-1, 12),
    )


def subject_of(video: str) -> str:
    """`12-24-1920x1080_left` → `12-24-1920x1080`: both people of a split screen stay in one fold, because their identities
    are not published."""
    for side in ("_left", "_right"):
        video = video.removesuffix(side)
    return video


def read(root: Path, split: str) -> list[Video]:
    """All videos of `train` or `val` with at least one usable frame, by name."""
    folder = root / "AU_Detection_Challenge" / SPLITS[split]
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is missing: point --data at the folder that holds AU_Detection_Challenge")
    videos = [read_video(f, root / "cropped_aligned") for f in sorted(folder.glob("*.txt"))]
    return [v for v in videos if len(v.frames)]


def windows(video: Video, length: int = 256, stride: int | None = None) -> list[np.ndarray]:
    """Index arrays into the video's usable frames, each of `length`; the last one is edge-padded with its last frame. Mask
    the repeats: they are the indices that do not increase."""
    n, stride = len(video.frames), stride or length
    return [np.minimum(np.arange(s, s + length), n - 1) for s in range(0, max(1, n), stride)]
