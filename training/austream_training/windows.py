"""Stage two: trains the temporal layers on the frame encoder's cached embeddings; the per-frame layers stay frozen.

A training window is a path through the cached crops of one face, of one of three kinds. Clip windows: a clip at a random
speed, some with a padded start (a face that has just appeared), some with a sustained expression. Still windows: stills
of one head, held and cross-faded, which show many more people than clips do. Constant windows: one crop repeated, as in
the product's window for a photograph. The newest positions have a larger loss weight, because the product publishes them.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from . import cache, checkpoint, export, labels, losses, smoothing
from .edge import MEMBERS, EdgeModel
from .frames import FrameModel, copy_temporal, parameter_groups, train_temporal_only, disable_temporal
from .precision import mixed
from .synthetic.generate import STRIDE

WINDOW = 256
NEWEST, NEWEST_WEIGHT = 32, 3.0


class EmbeddingSet:
    """Embeddings (N, d + c) float16, intensities and trust (N, 12) and people (N,), as written by `cache`."""

    def __init__(self, folder: Path, name: str):
        self.name = name
        self.embeddings = np.load(folder / f"{name}-embeddings.npy")
        self.labels = np.load(folder / f"{name}-labels.npy")
        self.weights = np.load(folder / f"{name}-weights.npy")
        self.stride = STRIDE if name.startswith("sparse") else 1
        groups = np.load(folder / f"{name}-groups.npy")
        self.heads = np.split(np.arange(len(groups)), np.flatnonzero(np.diff(groups)) + 1)

    @property
    def truth(self) -> np.ndarray:
        return labels.truth(self.labels, self.weights, self.name.startswith("portraits"))

    @property
    def clips(self) -> int:
        return len(self.labels) // WINDOW


@dataclass
class WindowPath:
    """A window's path through crops: indices (U,) into a set, and fractional positions `course` (256,) in 0…U − 1."""

    source: EmbeddingSet
    crops: np.ndarray
    course: np.ndarray

    def blend(self, values: np.ndarray) -> np.ndarray:
        """values (U, …) → (256, …), linearly interpolated along the path."""
        low = np.floor(self.course).astype(int)
        high, share = np.minimum(low + 1, len(self.crops) - 1), (self.course - low).astype(np.float32)
        return values[low] * (1 - share[:, None]) + values[high] * share[:, None]

    def labels(self) -> np.ndarray:
        return self.blend(self.source.labels[self.crops])

    def weights(self) -> np.ndarray:
        return self.blend(self.source.weights[self.crops]).astype(np.float32)


class Sampler:
    """Draws training windows. `clips`: sets with 256 // stride consecutive frames per clip; `stills`: several moments of
    each head; `photos`: single pictures."""

    def __init__(self, clips: list[EmbeddingSet], stills: list[EmbeddingSet], photos: list[EmbeddingSet], seed: int):
        self.clips, self.stills, self.photos, self.rng = clips, stills, photos, np.random.default_rng(seed)
        heads = np.array([len(s.labels) * s.stride for s in clips], float)
        self.odds = heads / heads.sum()
        self.means = np.concatenate([[s.embeddings[rows].mean(0, dtype=np.float32) for rows in s.heads] for s in clips])

    def stray(self) -> np.ndarray:
        """Difference (d + c,) of two heads' mean embeddings, such as that of a face that always seems to frown."""
        a, b = self.rng.integers(len(self.means), size=2)
        return self.means[a] - self.means[b]

    def clip(self) -> WindowPath:
        rng = self.rng
        s = self.clips[int(rng.choice(len(self.clips), p=self.odds))]
        n = WINDOW // s.stride
        rows = int(rng.integers(len(s.labels) // n)) * n + np.arange(n)
        speed = float(rng.choice([1.0, 0.5, 2.0], p=[0.6, 0.2, 0.2]))
        begin = -float(rng.integers(1, WINDOW)) if rng.random() < 0.4 else float(rng.integers(0, WINDOW))
        if rng.random() < 0.3:
            begin, speed = 0.0, 1.0
        at = np.maximum((begin + np.arange(WINDOW)) * speed, 0) / s.stride
        if rng.random() < 0.35:
            at = hold_expression(at, s.labels[rows].max(1), rng)
        return WindowPath(s, rows, _reflect(at, n))

    def still_window(self) -> WindowPath:
        rng = self.rng
        s = self.stills[int(rng.integers(len(self.stills)))]
        head = s.heads[int(rng.integers(len(s.heads)))]
        rows = rng.permutation(head)[: int(rng.integers(3, 9))]
        at = [np.zeros(int(rng.integers(0, 120)))]
        for k in range(len(rows)):
            at += [np.full(int(rng.integers(6, 60)), k), k + np.linspace(0, 1, int(rng.integers(4, 16)), endpoint=False)]
        course = np.minimum(np.concatenate(at), len(rows) - 1)
        return WindowPath(s, rows, np.pad(course, (0, max(0, WINDOW - len(course))), mode="edge")[-WINDOW:])

    def held(self) -> WindowPath:
        rng = self.rng
        sets = self.photos if rng.random() < 0.5 else self.stills
        s = sets[int(rng.integers(len(sets)))]
        return WindowPath(s, rng.integers(len(s.labels), size=1), np.zeros(WINDOW))


def hold_expression(at: np.ndarray, active: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Holds a path `at` (256,) for 64 frames or more at an active expression, if there is one: a sustained expression is not
    a neutral face. Meanwhile the path jitters between neighbouring crops. `active` (n,): the strongest AU of each crop."""
    where = _reflect(at, len(active))
    does = np.flatnonzero(active[where.astype(int)] >= labels.ACTIVE)
    start = int(rng.choice(does if len(does) else WINDOW))
    stay = int(rng.integers(64, WINDOW + 1))
    there = np.maximum(at[start] + rng.normal(0, 0.7, stay), 0)
    return np.concatenate([at[:start], there, at[start:]])[:WINDOW]


def _reflect(at: np.ndarray, n: int) -> np.ndarray:
    """Reflects positions at the ends of n crops."""
    return np.minimum(np.abs((at + n - 1) % (2 * (n - 1)) - (n - 1)), n - 1)


def embeddings(paths: list[WindowPath]) -> np.ndarray:
    """(b, 256, d + c)."""
    return np.stack([p.blend(p.source.embeddings[p.crops].astype(np.float32)) for p in paths])


def score(model: EdgeModel, member: str, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Embeddings (b, 256, d + c) → logits (b, 256, 12) of a member, and of its branches if it has some."""
    d = model.vivit.embed.out_features
    return (model.vivit.score(x[..., :d]), []) if member == "regnet-vit" else model.nguyen.score(x[..., d:])


def train(
    model: EdgeModel, member: str, sampler: Sampler, out: Path, seconds: float, lr: float = 1e-3,
    mix: tuple[int, int, int] = (4, 2, 2), gamma: float = 0.0, branch_weight: float = 0.3, beta: float = 0.0,
    frequency: np.ndarray | None = None, stray: float = 0.0, every: int = 100, steps: int = 10**9,
) -> None:
    """Trains one member of MEMBERS; on frozen embeddings the members share no parameters.

    AdamW with one cosine cycle over `steps` steps or `seconds` seconds, whichever ends first; resumes from
    out/<member>/last.pt; keeps a moving average of the weights.

    `mix`: clip, still and constant windows per step. `beta` > 0 adds Robin Hood smoothing to the soft targets. `gamma` 0
    is plain cross-entropy: with soft targets, focal loss leaves scores too low for a threshold of 0.5. `stray`: upper
    bound of the shift of a moving face's embeddings towards other faces (`Sampler.stray`), so that the temporal layers
    learn to separate expression from identity."""
    out = out / member
    out.mkdir(parents=True, exist_ok=True)
    train_temporal_only(model)
    for name, module in MEMBERS.items():
        if name != member:
            getattr(model, module).requires_grad_(False)
    optimizer = torch.optim.AdamW(parameter_groups(model), lr=lr)
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99))
    step, spent, running = 0, 0.0, 0.0
    if (out / "last.pt").is_file():
        saved = torch.load(out / "last.pt", weights_only=True)
        model.load_state_dict(saved["raw"])
        average.module.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step, spent = saved["step"], saved["spent"]
    began = time.time() - spent
    newest = torch.where(torch.arange(WINDOW) >= WINDOW - NEWEST, NEWEST_WEIGHT, 1.0)[None, :, None]
    rarity_weights = torch.from_numpy(labels.rarity_weights(np.concatenate([s.labels for s in sampler.clips])))
    model.train()
    while (share := max(step / steps, (time.time() - began) / seconds)) < 1:
        for g in optimizer.param_groups:
            g["lr"] = float(lr * min(1, (step + 1) / 50) * (0.5 * (1 + np.cos(np.pi * share)) + 0.002))
        paths = [draw() for draw, n in zip((sampler.clip, sampler.still_window, sampler.held), mix) for _ in range(n)]
        x = embeddings(paths)
        if stray > 0:
            for k in range(mix[0] + mix[1]):
                x[k] += stray * sampler.rng.random() * sampler.stray()
        y = torch.from_numpy(labels.targets(np.stack([p.labels() for p in paths])))
        w = torch.from_numpy(np.stack([p.weights() for p in paths])) * newest * rarity_weights
        if beta > 0:
            y = losses.robin_hood(y, torch.from_numpy(frequency), beta)
        with mixed():
            z, branches = score(model, member, torch.from_numpy(x))
        focal = lambda z: (losses.sigmoid_focal(z.float(), y, gamma) * w).sum() / w.sum()  # noqa: E731
        loss = losses.branched(focal(z), [focal(b) for b in branches], branch_weight) if branches else focal(z)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(model)
        step, running = step + 1, running + loss.item()
        if step % every == 0:
            print(f"{member}: step {step} loss {running / every:.4f} share {share:.2f}", flush=True)
            running = 0.0
            _save(model, average.module, optimizer, step, time.time() - began, out)
    _save(model, average.module, optimizer, step, time.time() - began, out)


def train_members(run: Path, out: Path, threads: int, seed: int, init: Path | None = None, **options) -> EdgeModel:
    """Trains both members in parallel, one process each, on the output of train-frames and cache in `run`. The temporal
    layers start from the exported model `init`, or from the identity. `options`: see `train`. Writes the ensemble to
    out/last.pt and returns it."""
    with ProcessPoolExecutor(len(MEMBERS), get_context("spawn")) as pool:
        for job in [pool.submit(_train_member, name, run, out, threads, seed, init, options) for name in MEMBERS]:
            job.result()
    model = _start(run)
    join(model, out)
    return model


def _train_member(member: str, run: Path, out: Path, threads: int, seed: int, init: Path | None, options: dict) -> None:
    torch.manual_seed(seed)
    torch.set_num_threads(threads or max(1, torch.get_num_threads() // len(MEMBERS)))
    every = lambda n: [EmbeddingSet(f.parent, n) for f in sorted((run / "embeddings").glob(f"*/{n}-groups.npy"))]  # noqa: E731
    clips = every("clips-train") + every("sparse-train-augmented")
    sampler = Sampler(clips, every("stills-train-augmented"), every("portraits-train-augmented"), seed)
    frequency = losses.frequencies(np.concatenate([s.labels for s in clips]) >= labels.ACTIVE)
    train(_start(run, init), member, sampler, out, frequency=frequency, **options)


def _start(run: Path, init: Path | None = None) -> EdgeModel:
    """The model of train-frames, with temporal layers of the exported model `init`, or the identity."""
    frame = FrameModel()
    cache.load_average(frame, run / "last.pt")
    disable_temporal(frame.edge)
    if init:
        copy_temporal(frame.edge, export.load(init))
    return frame.edge


def join(model: EdgeModel, run: Path) -> None:
    """Merges the separately trained members into `model` and writes it to run/last.pt."""
    for name, module in MEMBERS.items():
        learned = torch.load(run / name / "last.pt", weights_only=True)["model"]
        model.load_state_dict({k: v for k, v in learned.items() if k.startswith(f"{module}.")}, strict=False)
    checkpoint.write(run, {"model": model.state_dict()})


def _save(model, average, optimizer, step, spent, out: Path) -> None:
    saved = {"raw": model.state_dict(), "model": average.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "spent": spent}
    checkpoint.write(out, saved)


@torch.no_grad()
def predict(model: EdgeModel, s: EmbeddingSet, sigma: float | None = None) -> dict[str, np.ndarray]:
    """Sigmoid scores (N, 12) of each member and of their mean. Clips: whole windows, causally smoothed if `sigma` is given.
    Stills: the newest frame of a constant window."""
    was_training = model.training
    model.eval()
    members: list[list[np.ndarray]] = [[], []]
    moving = s.name.startswith("clips")
    for k in range(s.clips) if moving else range(0, len(s.labels), 16):
        if moving:
            paths = [WindowPath(s, np.arange(k * WINDOW, (k + 1) * WINDOW), np.arange(WINDOW))]
        else:
            paths = [WindowPath(s, np.array([i]), np.zeros(WINDOW)) for i in range(k, min(k + 16, len(s.labels)))]
        x = torch.from_numpy(embeddings(paths))
        for part, name in zip(members, MEMBERS):
            z, _ = score(model, name, x)
            part.append(torch.sigmoid(z[0] if moving else z[:, -1]).numpy())
    out = dict(zip(MEMBERS, members)) | {"ensemble": [(a + b) / 2 for a, b in zip(*members)]}
    if sigma is not None and moving:
        out = {name: [smoothing.smooth(p, sigma) for p in parts] for name, parts in out.items()}
    model.train(was_training)
    return {name: np.concatenate(parts) for name, parts in out.items()}
