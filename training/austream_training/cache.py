"""Runs a trained frame encoder once over data sets and keeps its embeddings for the window stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from . import checkpoint
from .crops import CropSet, draw_view, normalised, shaken
from .edge import EdgeModel
from .frames import FrameModel
from .precision import mixed


def load_average(model: FrameModel, file: Path) -> None:
    """Loads the averaged weights of a frame run's checkpoint."""
    saved = torch.load(file, weights_only=True)
    prefix = "module."
    model.load_state_dict({k.removeprefix(prefix): v for k, v in saved["average"].items() if k.startswith(prefix)})


@torch.no_grad()
def mean(runs: list[Path], out: Path) -> None:
    """A frame run whose averaged weights are the mean of other runs' (Wortsman et al. 2022, "Model soups"); the runs
    have to stem from the same weights."""
    found = [torch.load(run / "last.pt", weights_only=True)["average"] for run in runs]
    whole = {k: torch.stack([f[k] for f in found]).mean(0) if v.is_floating_point() else v for k, v in found[0].items()}
    out.mkdir(parents=True, exist_ok=True)
    checkpoint.write(out, {"average": whole})


@torch.no_grad()
def embeddings(model: EdgeModel, crops: np.ndarray) -> np.ndarray:
    """(n, 112, 112, 3) → (n, d + c) float16."""
    x = torch.from_numpy(normalised(crops)).to(memory_format=torch.channels_last)
    with mixed():
        e = model.encode(x)
    return e.half().numpy()


def write(model: FrameModel, folder: Path, out: Path, repeats: int = 0, track: int = 1, share: float = 1.0, seed: int = 5, batch: int = 128) -> None:
    """`repeats` 0: every crop as it is; otherwise each that many times, augmented, as `<name>-augmented`; `track`
    crops in a row are then one face's and share an augmentation but for a little shaking. `share`: how many heads of
    the set, evenly spread."""
    model.eval().to(memory_format=torch.channels_last)
    s, rng = CropSet(folder), np.random.default_rng(seed)
    heads = np.split(np.arange(len(s)), np.flatnonzero(np.diff(s.groups)) + 1)
    chosen = np.concatenate([heads[i] for i in np.linspace(0, len(heads) - 1, round(len(heads) * share)).astype(int)])
    e, order = [], np.tile(chosen, max(1, repeats))
    view: dict = {}
    for k in range(0, len(order), batch):
        index = order[k : k + batch]
        if repeats:
            crops = []
            for n, i in enumerate(index, start=k):
                view = draw_view(rng) if n % track == 0 else view
                crops.append(s.augmented(int(i), rng, shaken(view, rng) if track > 1 else view)[0])
            e.append(embeddings(model.edge, np.stack(crops)))
        else:
            e.append(embeddings(model.edge, s.centre(index)))
    out.mkdir(parents=True, exist_ok=True)
    name = folder.name + ("-augmented" if repeats else "")
    np.save(out / f"{name}-embeddings.npy", np.concatenate(e))
    np.save(out / f"{name}-labels.npy", s.labels[order])
    np.save(out / f"{name}-weights.npy", s.weights[order])
    np.save(out / f"{name}-groups.npy", s.groups[order])
    print(f"{name}: {len(order)} crops", flush=True)
