"""Caches the embeddings of data sets by a trained frame encoder, as input of the window stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from . import checkpoint
from .crops import CropSet, draw_view, normalise, jitter_view
from .edge import EdgeModel
from .frames import FrameModel
from .precision import mixed


def load_average(model: FrameModel, file: Path) -> None:
    """Loads the moving average of the weights from a frame run's checkpoint."""
    saved = torch.load(file, weights_only=True)
    prefix = "module."
    model.load_state_dict({k.removeprefix(prefix): v for k, v in saved["average"].items() if k.startswith(prefix)})


@torch.no_grad()
def mean(runs: list[Path], out: Path) -> None:
    """Writes a frame run whose weights are the mean of other runs' averaged weights (Wortsman et al. 2022, "Model soups").
    The runs must have started from the same weights."""
    found = [torch.load(run / "last.pt", weights_only=True)["average"] for run in runs]
    whole = {k: torch.stack([f[k] for f in found]).mean(0) if v.is_floating_point() else v for k, v in found[0].items()}
    out.mkdir(parents=True, exist_ok=True)
    checkpoint.write(out, {"average": whole})


@torch.no_grad()
def embeddings(model: EdgeModel, crops: np.ndarray) -> np.ndarray:
    """(n, 112, 112, 3) → (n, d + c) float16."""
    x = torch.from_numpy(normalise(crops)).to(memory_format=torch.channels_last)
    with mixed():
        e = model.encode(x)
    return e.half().numpy()


def write(model: FrameModel, folder: Path, out: Path, repeats: int = 0, track: int = 1, share: float = 1.0, seed: int = 5, batch: int = 128) -> None:
    """Writes embeddings, labels, weights and groups of a set to `out`.

    `repeats` 0: every crop unaugmented. Otherwise every crop that many times, augmented, under `<name>-augmented`.
    `track`: this many consecutive crops belong to one face and share an augmentation, apart from keypoint jitter.
    `share`: the fraction of the set's heads to use, evenly spaced."""
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
                crops.append(s.augmented(int(i), rng, jitter_view(view, rng) if track > 1 else view)[0])
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
