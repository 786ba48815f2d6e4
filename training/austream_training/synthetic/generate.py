"""Writes the data sets of the default weights: stills, clips and the unmodified portraits, per split.

Each set is a folder `<kind>-<split>` with crops.npy (N, 144, 144, 3) uint8, labels.npy (N, 12) intensities, trust.npy
(N, 12) trust in the labels (1: exact and visible; less: estimated by the landmark model; 0: hidden), marks.npy
(N, 68, 2) landmarks in pixels and groups.npy (N,) people (−1−k for the k-th invented head). For clips, N = clips × 256,
in order. `sparse`: clips with every fourth frame rendered, which gives four times the people at the same cost. `sizes`:
stills rendered at each of SIZES, in that order, as from cameras at growing distance. A `fair` set shows what well-placed
cameras see (dataset.Actor), without mouths kept from photos and their weak labels.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from . import dataset, head, portraits, weak

_studio: dataset.Studio | None = None
SPLITS = ("train", "val", "test")
WINDOW, STRIDE = 256, 4
SPREAD = 0.6
SIZES = (144, 96, 64, 48, 36)  # canvas pixels before upscaling


def _enter(paths: tuple[Path, Path, Path], spread: float) -> None:
    global _studio
    cv2.setNumThreads(1)
    _studio = dataset.Studio.open(*paths)
    _studio.skins = skin_model(_studio, paths[2].with_name("skin.npz"))
    _studio.spread = spread


def skin_model(studio: dataset.Studio, cache: Path) -> tuple[np.ndarray, np.ndarray]:
    """The statistical skin model of the training people, computed once and stored in `cache`."""
    if not cache.is_file():
        studio.learn_skin(studio.split("train"))
        np.savez(cache, mean=studio.skins[0], basis=studio.skins[1])
    with np.load(cache) as z:
        return z["mean"], z["basis"]


def _job(kind: str, person: int, seed: int, count: int, stride: int, fair: bool) -> tuple[np.ndarray, ...]:
    rng, who = np.random.default_rng([seed, person + 1_000_000, kind != "stills"]), person if person >= 0 else None
    if kind == "stills":
        frames = dataset.still(_studio, who, rng, count, fair=fair)
    elif kind == "sizes":
        frames = dataset.still(_studio, who, rng, count // len(SIZES), SIZES, fair)
    else:
        frames = dataset.clip(_studio, who, rng, count * stride, stride, fair)
    return tuple(np.stack(part) for part in zip(*frames))


def write(
    kind: str, split: str, out: Path, paths: tuple[Path, Path, Path], people: int, invented: int, each: int, seed: int, workers: int,
    stride: int = 1, fair: bool = False,
) -> Path:
    """Renders `each` moments (of clips, every `stride`-th) of `people` portraits of the split and of `invented` heads.
    Complete folders are kept."""
    folder = out / f"{kind}-{split}"
    if (folder / "labels.npy").is_file() or people + invented == 0:
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    spread = SPREAD if split == "train" else 0.0  # held-out people are not varied
    studio = dataset.Studio.open(*paths)
    chosen = np.random.default_rng(seed).permutation(studio.split(split))
    if people and not len(chosen):
        raise ValueError(f"{paths[2]} holds none of its people out: generate --splits train")
    chosen = np.resize(chosen, people) if people else np.zeros(0, int)
    offset = 10_000 * SPLITS.index(split)
    heads = [*(int(i) for i in chosen), *(-1 - offset - k for k in range(invented))]
    n = len(heads) * each
    crops = np.lib.format.open_memmap(folder / "crops.npy", "w+", np.uint8, (n, head.CANVAS, head.CANVAS, 3))
    labels, trust, marks, groups = np.zeros((n, 12), np.float32), np.zeros((n, 12), np.float32), np.zeros((n, 68, 2), np.float32), np.repeat(np.array(heads), each)
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_enter, initargs=(paths, spread)) as pool:
        jobs = [pool.submit(_job, kind, p, seed + 1000 * k, each, stride, fair) for k, p in enumerate(heads)]
        for k, job in enumerate(jobs):
            rows = slice(k * each, (k + 1) * each)
            crops[rows], labels[rows], trust[rows], marks[rows] = job.result()
            jobs[k] = None  # frees the job's pixels
            if k % 20 == 0:
                print(f"{kind}-{split}: {k}/{len(heads)}", flush=True)
    crops.flush()
    np.save(folder / "groups.npy", groups)
    np.save(folder / "marks.npy", marks)
    np.save(folder / "trust.npy", trust)
    np.save(folder / "labels.npy", labels)
    return folder


def write_portraits(split: str, out: Path, paths: tuple[Path, Path, Path]) -> Path:
    """Writes the unmodified photos, aligned, with weak labels."""
    folder = out / f"portraits-{split}"
    if (folder / "labels.npy").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    studio = dataset.Studio.open(*paths)
    people = studio.split(split)
    crops, marks = [], []
    for i in people:
        photo = portraits.read(studio.folder / str(studio.notes["files"][i]))
        points = studio.notes["points"][i][portraits.IBUG]
        move = head.similarity(head.keypoints(points), head.TEMPLATE + head.MARGIN)
        marks.append(points @ move[:, :2].T + move[:, 2])
        scale = np.hypot(*move[0, :2])
        if scale < 0.7:  # low-pass filter before downscaling
            photo = cv2.GaussianBlur(photo, (0, 0), 0.4 / scale)
        crops.append(cv2.warpAffine(photo, move, (head.CANVAS,) * 2, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT))
    np.save(folder / "crops.npy", np.clip(crops, 0, 255).astype(np.uint8))
    np.save(folder / "groups.npy", people)
    np.save(folder / "marks.npy", np.array(marks, np.float32))
    np.save(folder / "trust.npy", np.tile(weak.WEIGHT, (len(people), 1)))
    np.save(folder / "labels.npy", studio.weak[people])
    return folder


__all__ = ["SIZES", "SPLITS", "STRIDE", "WINDOW", "weak", "write", "write_portraits"]
