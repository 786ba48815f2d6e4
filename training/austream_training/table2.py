"""The rows of the paper's Table 2, one command each. Every row stores its validation scores for later rows.

regnet-vit, nguyen: one member on the official split. kfold: five RegNet-ViTs on folds of the training subjects,
averaged. smoothing: kfold's scores, smoothed with the best σ and kernel of the grid; the best σ per mode for the
product's kernel goes into the exported model. ensemble: smoothed kfold and Nguyen scores, averaged.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from . import paper, processes, smoothing
from .data import abaw, bp4d, disfa, folds

LAYOUTS = ("abaw", "disfa", "bp4d")
ROWS = ("regnet-vit", "nguyen", "kfold", "smoothing", "ensemble")


def read(data: Path, layout: str, k: int, seed: int) -> tuple[list[abaw.Video], list[abaw.Video]]:
    """Training and validation videos: Aff-Wild2's official split; for other data sets the first of k folds over subjects."""
    if layout == "abaw":
        return abaw.read(data, "train"), abaw.read(data, "val")
    videos = {"disfa": disfa, "bp4d": bp4d}[layout].read(data)
    parts = folds.by_subject([v.subject for v in videos], [v.labels for v in videos], k, seed)
    return [videos[i] for part in parts[1:] for i in part], [videos[i] for i in parts[0]]


def run(
    row: str, data: Path, out: Path, recipe: paper.Recipe, pretrained: Path | None, causal: bool, k: int = 5, layout: str = "abaw",
    workers: int = 0,
) -> float:
    """Macro-F1 of the row on the validation set; appends it to out/table2.json."""
    rank, _, _ = processes.join()
    videos, validation = read(data, layout, k, recipe.seed)
    note: dict = {}
    if row in ("regnet-vit", "nguyen"):
        recipe.member = row
        model = paper.train(recipe, videos, out / row, pretrained, _log(out / row), workers=workers)
        scores = paper.predict(model, validation, recipe.window)
    elif row == "kfold":
        recipe.member = "regnet-vit"
        parts = folds.by_subject([v.subject for v in videos], [v.labels for v in videos], k, recipe.seed)
        members = []
        for f in range(k):
            rest = [videos[i] for g, part in enumerate(parts) if g != f for i in part]
            model = paper.train(recipe, rest, out / f"fold{f}", pretrained, _log(out / f"fold{f}"), workers=workers)
            own = [videos[i] for i in parts[f]]
            note[f"fold{f}"] = paper.macro_f1(own, paper.predict(model, own, recipe.window))
            members.append(paper.predict(model, validation, recipe.window))
        scores = [np.mean(per_video, 0) for per_video in zip(*members)]
    elif row == "smoothing":
        raw = _load(out, "kfold", validation)
        grids = {mode: paper.grid(validation, raw, mode == "causal") for mode in ("causal", "centered")}
        found = grids["causal" if causal else "centered"]
        sigma, kernel = max(found, key=found.get)
        note = {"sigma": sigma, "kernel": kernel, "causal": causal}
        by_sigma = {mode: {s: f1 for (s, n), f1 in grid.items() if n == smoothing.KERNEL} for mode, grid in grids.items()}
        note["product"] = {mode: max(each, key=each.get) for mode, each in by_sigma.items()}
        note["grids"] = {mode: {f"{s},{n}": v for (s, n), v in grid.items()} for mode, grid in grids.items()}
        scores = [smoothing.smooth(p, sigma, kernel, causal) for p in raw]
    else:
        scores = [(a + b) / 2 for a, b in zip(_load(out, "smoothing", validation), _load(out, "nguyen", validation))]
    f1 = paper.macro_f1(validation, scores)
    if rank:
        return f1
    np.savez(out / f"{row}.npz", **{v.name: p for v, p in zip(validation, scores)})
    file = out / "table2.json"
    rows = json.loads(file.read_text()) if file.is_file() else {}
    rows[row] = {"macro_f1": f1, **note}
    file.write_text(json.dumps(rows, indent=2) + "\n")
    return f1


def _load(out: Path, row: str, videos: list[abaw.Video]) -> list[np.ndarray]:
    file = out / f"{row}.npz"
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing: run the row '{row}' first")
    with np.load(file) as z:
        return [z[v.name] for v in videos]


def _log(folder: Path):
    """TensorBoard writer, in the first process only."""
    if processes.join()[0]:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"))


__all__ = ["LAYOUTS", "ROWS", "run"]
