"""Stage one: trains the per-frame layers of the ensemble on single crops: the backbone, the ViViT's spatial encoder and
head, the Nguyen member's branches and fusion. The temporal layers are the identity meanwhile.

Stage two trains the temporal layers on cached embeddings (windows.py). On a CPU this costs a fraction of end-to-end
training on 256 frames, and batches of unrelated faces teach more than windows of one face.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from . import checkpoint, labels, metrics, processes
from .crops import CropSet, normalise
from .edge import EDGE, EdgeModel
from .losses import branched, sigmoid_focal
from .precision import mixed


class FrameModel(nn.Module):
    """The ensemble with a window of one frame, and landmarks as an auxiliary task: AUs show mostly in the positions of
    lips, lids and brows."""

    def __init__(self):
        super().__init__()
        self.edge = EdgeModel()
        disable_temporal(self.edge)
        self.drop, self.marks = nn.Dropout(0.1), nn.Linear(EDGE["widths"][-1] * 16, 136)
        nn.init.normal_(self.marks.weight, std=0.002)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor], torch.Tensor]:
        """(n, 3, 112, 112) → logits (n, 12) of the ViViT, the Nguyen member and its branches, and landmarks (n, 136) in
        −1…1."""
        m = self.edge
        f = m.backbone(x).float().flatten(2).transpose(1, 2)
        first = m.vivit.head(m.vivit.temporal_norm(m.vivit.encode(self.drop(f))))
        fused, branches = m.nguyen.score(self.drop(f.mean(1))[:, None])
        return first, fused[:, 0], [b[:, 0] for b in branches], self.marks(f.flatten(1))


@torch.no_grad()
def disable_temporal(model: EdgeModel) -> None:
    """Makes every temporal block the identity, by zeroing the last layers of its residual branches, and freezes it until
    `train_temporal_only`."""
    for part in _temporal(model):
        for block in part:
            for name in ("attn", "cross"):
                if hasattr(block, name):
                    nn.init.zeros_(getattr(block, name).proj.weight)
                    nn.init.zeros_(getattr(block, name).proj.bias)
            nn.init.zeros_(block.fc2.weight)
            nn.init.zeros_(block.fc2.bias)
        part.requires_grad_(False)
    for position in _positions(model):
        nn.init.zeros_(position).requires_grad_(False)


@torch.no_grad()
def copy_temporal(model: EdgeModel, other: EdgeModel) -> None:
    """Copies the temporal layers of `other`."""
    for mine, theirs in zip(_temporal(model), _temporal(other)):
        mine.load_state_dict(theirs.state_dict())
    for mine, theirs in zip(_positions(model), _positions(other)):
        mine.copy_(theirs)


def train_temporal_only(model: EdgeModel) -> None:
    """Freezes the per-frame layers and trains the temporal ones, which start as the identity. Unfrozen per-frame layers
    would forget real faces over a few hundred synthetic clips (REPORT.md)."""
    model.requires_grad_(False)
    for part in [*_temporal(model), *_positions(model)]:
        part.requires_grad_(True)


def _positions(model: EdgeModel) -> tuple[nn.Parameter, ...]:
    return model.vivit.temporal_pos, model.nguyen.branch1.frequency, model.nguyen.branch3.frequency


def _temporal(model: EdgeModel) -> list[nn.ModuleList]:
    n = model.nguyen
    return [model.vivit.temporal, n.branch1.encoder, n.branch1.decoder, n.branch3.encoder, n.branch3.decoder]


class _Stream(IterableDataset):
    def __init__(self, mixture: "Mixture", size: int):
        self.mixture, self.size = mixture, size

    def __iter__(self):
        info = get_worker_info()
        if info is not None:
            self.mixture.rng = np.random.default_rng([*np.atleast_1d(self.mixture.seed), info.id])
        while True:
            yield self.mixture.batch(self.size)


class Mixture:
    """Draws batches of augmented crops from several sets in fixed shares. Real photos are balanced by the intensity of
    their smile."""

    def __init__(self, sets: list[CropSet], shares: list[float], seed: int):
        self.sets, self.seed, self.rng = sets, seed, np.random.default_rng(seed)
        self.shares = np.array(shares) / sum(shares)
        self.odds = []
        for s in sets:
            if s.real:
                level = np.digitize(s.labels[:, 6], [0.15, 0.3, 0.5, 0.7, 0.85])
                count = np.bincount(level, minlength=6)
                odds = 1.0 / np.sqrt(count[level]) / np.sqrt(count[level]) ** 0.5
                self.odds.append(odds / odds.sum())
            else:  # oversamples crops with rare AUs up to a few times
                active = s.labels >= labels.ACTIVE
                odds = 0.4 + np.minimum((active * 0.12 / np.maximum(active.mean(0), 0.02)).max(1), 3.0)
                self.odds.append(odds / odds.sum())

        self.edges = [np.cumsum(o)[:-1] for o in self.odds]
        self.weight = labels.rarity_weights(np.concatenate([s.labels for s in sets if not s.real]))

    def batch(self, size: int) -> tuple[torch.Tensor, ...]:
        """Crops (n, 3, 112, 112), soft targets (n, 12), trust (n, 12), landmarks (n, 136)."""
        x, y, w, m = [], [], [], []
        for k in self.rng.choice(len(self.sets), size, p=self.shares):
            s = self.sets[k]
            i = int(np.searchsorted(self.edges[k], self.rng.random()))
            crop, marks = s.augmented(i, self.rng)
            x.append(crop)
            m.append(marks.reshape(-1))
            y.append(s.labels[i])
            w.append(s.weights[i] * self.weight)
        return (
            torch.from_numpy(normalise(np.stack(x))),
            torch.from_numpy(labels.targets(np.stack(y))),
            torch.from_numpy(np.stack(w).astype(np.float32)),
            torch.from_numpy(np.stack(m)),
        )


@torch.no_grad()
def scores(model: FrameModel, crops: CropSet, index: np.ndarray, batch: int = 128) -> np.ndarray:
    model.eval()
    out = []
    for k in range(0, len(index), batch):
        x = torch.from_numpy(normalise(crops.centre(index[k : k + batch])))
        with mixed():
            first, fused, *_ = model(x.to(memory_format=torch.channels_last))
        out.append(((torch.sigmoid(first.float()) + torch.sigmoid(fused.float())) / 2).numpy())
    return np.concatenate(out)


def evaluate(model: FrameModel, sets: dict[str, CropSet], limit: int = 1600) -> dict[str, dict[str, list[float]]]:
    out = {}
    for name, s in sets.items():
        index = np.linspace(0, len(s) - 1, min(limit, len(s))).astype(int)
        p, truth = scores(model, s, index), s.labels[index] >= labels.ACTIVE
        out[name] = {
            "f1": metrics.f1(truth, p >= 0.5).round(3).tolist(),
            "auc": metrics.auc(truth, p).round(3).tolist(),
            "r": metrics.correlation(p, labels.targets(s.labels[index])).round(3).tolist(),
        }
    return out


def train(
    model: FrameModel, mixture: Mixture, validation: dict[str, CropSet], out: Path, steps: int, batch: int = 64, lr: float = 2e-3,
    gamma: float = 0.0, every: int = 500, budget: float = 1e9, marks_weight: float = 1.0, workers: int = 1, sync: int = 10,
    compiled: bool = False,
) -> None:
    """Trains with AdamW and one cosine cycle; resumes from out/last.pt. Stops after `steps` steps or `budget` seconds,
    whichever comes first: progress is the larger share of the two, so the cosine always completes.

    Under torchrun each process draws its own batches, and weights are averaged every `sync` steps (local SGD), which
    stalls far less on shared CPU cores than averaging gradients at every step. `compiled`: uses torch.compile, which
    needs a C++ compiler and takes minutes to start."""
    rank, world, _ = processes.join("cpu")
    out.mkdir(parents=True, exist_ok=True)
    model.to(memory_format=torch.channels_last)
    forward = torch.compile(model) if compiled else model
    optimizer = torch.optim.AdamW(parameter_groups(model), lr=lr)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998**sync), use_buffers=True
    )
    step, spent = 0, 0.0
    if (out / "last.pt").is_file():
        saved = torch.load(out / "last.pt", weights_only=True)
        model.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        step, spent = saved["step"], saved["spent"]
    began, share, running = time.time() - spent, 0.0, 0.0
    mixture.seed = [*np.atleast_1d(mixture.seed), rank, step]
    batches = iter(DataLoader(_Stream(mixture, batch), batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None))
    while share < 1:
        rate = float(lr * min(1, (step + 1) / 200) * (0.5 * (1 + np.cos(np.pi * share)) + 0.002))
        for g in optimizer.param_groups:
            g["lr"] = rate
        x, y, w, m = next(batches)
        model.train()
        with mixed():
            first, fused, branches, marks = forward(x.to(memory_format=torch.channels_last))
        focal = lambda z: (sigmoid_focal(z.float(), y, gamma) * w).sum() / w.sum()  # noqa: E731
        loss = (focal(first) + branched(focal(fused), [focal(b) for b in branches], 0.3)) / 2
        loss = loss + marks_weight * nn.functional.smooth_l1_loss(marks.float(), m, beta=0.05)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        step += 1
        running += loss.item()
        if step % sync == 0:
            share = _average(model, max(step / steps, (time.time() - began) / budget), world)
            average.update_parameters(model)
        if step % 100 == 0 and rank == 0:
            print(f"step {step} loss {running / 100:.4f} lr {rate:.5f} {world * step * batch / (time.time() - began):.0f} img/s share {share:.2f}", flush=True)
            running = 0.0
        if step % every == 0 and rank == 0:
            _save(model, average, optimizer, step, time.time() - began, out, validation)
    if rank == 0:
        _save(model, average, optimizer, step, time.time() - began, out, validation)


@torch.no_grad()
def _average(model: nn.Module, share: float, world: int) -> float:
    """Averages weights, batch-norm statistics and progress over all processes."""
    if world == 1:
        return share
    values = [t for t in (*model.parameters(), *model.buffers()) if t.is_floating_point()]
    flat = torch.cat([*(t.reshape(-1) for t in values), torch.tensor([share])])
    dist.all_reduce(flat)
    flat /= world
    for t, part in zip(values, flat[:-1].split([t.numel() for t in values])):
        t.copy_(part.view(t.shape))
    return float(flat[-1])


def parameter_groups(model: nn.Module) -> list[dict]:
    """Optimizer groups of the trainable parameters: weight decay on matrices, none on vectors."""
    learned = [p for p in model.parameters() if p.requires_grad]
    return [{"params": [p for p in learned if p.ndim > 1], "weight_decay": 0.05}, {"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0}]


def _save(model, average, optimizer, step, spent, out: Path, validation) -> None:
    state = {"model": model.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "spent": spent}
    checkpoint.write(out, state)
    report = evaluate(average.module, validation)
    for name, r in report.items():
        print(f"  [{step}] {name}: macro-F1 {np.nanmean(r['f1']):.3f} AUC {np.nanmean(r['auc']):.3f} f1 {r['f1']} auc {r['auc']} r {r['r']}", flush=True)
    with (out / "log.ndjson").open("a") as f:
        f.write(json.dumps({"step": step, "seconds": spent, **report}) + "\n")
