"""Stage one: the frame encoder's backbone learns AUs from single crops, with a linear head on pooled features.

The window encoders learn afterwards on its cached features (windows.py): on a CPU this costs a fraction of
training through 256 frames at once.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from . import labels, metrics
from .crops import CropSet, normalised
from .losses import sigmoid_focal


class FrameModel(nn.Module):
    def __init__(self, backbone: nn.Module, width: int):
        super().__init__()
        self.backbone, self.drop, self.head = backbone, nn.Dropout(0.2), nn.Linear(width, 12)
        # Landmarks are an auxiliary task: where lips, lids and brows are is most of what AUs are read from.
        self.marks = nn.Linear(width * 16, 136)
        nn.init.normal_(self.marks.weight, std=0.002)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.both(x)[0]

    def both(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, 3, 112, 112) → AU logits (n, 12), landmarks (n, 136) in −1…1."""
        f = self.backbone(x).float()
        return self.head(self.drop(f.mean((2, 3)))), self.marks(f.flatten(1))


class _Stream(IterableDataset):
    def __init__(self, mixture: "Mixture", size: int):
        self.mixture, self.size = mixture, size

    def __iter__(self):
        info = get_worker_info()
        if info is not None:
            self.mixture.rng = np.random.default_rng([self.mixture.seed, info.id, int(time.time())])
        while True:
            yield self.mixture.batch(self.size)


class Mixture:
    """Draws batches of augmented crops from several sets, in fixed shares; real photos so that faces without
    and with a smile come equally often."""

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
            else:  # rare AUs come up to a few times as often as they were drawn
                active = s.labels >= labels.ACTIVE
                odds = 0.4 + np.minimum((active * 0.12 / np.maximum(active.mean(0), 0.02)).max(1), 3.0)
                self.odds.append(odds / odds.sum())

        self.edges = [np.cumsum(o)[:-1] for o in self.odds]

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
            w.append(s.weights[i])
        return (
            torch.from_numpy(normalised(np.stack(x))),
            torch.from_numpy(labels.targets(np.stack(y))),
            torch.from_numpy(np.stack(w).astype(np.float32)),
            torch.from_numpy(np.stack(m)),
        )


@torch.no_grad()
def scores(model: nn.Module, crops: CropSet, index: np.ndarray, batch: int = 128) -> np.ndarray:
    model.eval()
    out = []
    for k in range(0, len(index), batch):
        x = torch.from_numpy(normalised(crops.centre(index[k : k + batch])))
        with torch.autocast("cpu", torch.bfloat16):
            out.append(torch.sigmoid(model(x.to(memory_format=torch.channels_last)).float()).numpy())
    return np.concatenate(out)


def evaluate(model: nn.Module, sets: dict[str, CropSet], limit: int = 1600) -> dict[str, dict[str, list[float]]]:
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
    gamma: float = 1.0, every: int = 500, budget: float = 1e9, marks_weight: float = 1.0, workers: int = 1,
) -> None:
    """AdamW with one cosine; resumes from out/last.pt; stops at `steps` or after `budget` seconds, whichever the
    schedule's clock says first: progress is the larger of the two shares, so that the cosine always ends."""
    out.mkdir(parents=True, exist_ok=True)
    optimizer = torch.optim.AdamW(_groups(model), lr=lr)
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True)
    step, spent = 0, 0.0
    if (out / "last.pt").is_file():
        saved = torch.load(out / "last.pt")
        model.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        step, spent = saved["step"], saved["spent"]
    began = time.time() - spent
    running = 0.0
    batches = iter(DataLoader(_Stream(mixture, batch), batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None))
    while True:
        share = max(step / steps, (time.time() - began) / budget)
        if share >= 1:
            break
        rate = float(lr * min(1, (step + 1) / 200) * (0.5 * (1 + np.cos(np.pi * share)) + 0.002))
        for g in optimizer.param_groups:
            g["lr"] = rate
        x, y, w, m = next(batches)
        model.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits, marks = model.both(x.to(memory_format=torch.channels_last))
        loss = (sigmoid_focal(logits.float(), y, gamma) * w).sum() / w.sum()
        loss = loss + marks_weight * nn.functional.smooth_l1_loss(marks.float(), m, beta=0.05)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        average.update_parameters(model)
        step += 1
        running += loss.item()
        if step % 100 == 0:
            print(f"step {step} loss {running / 100:.4f} lr {rate:.5f} {step * batch / (time.time() - began):.0f} img/s share {share:.2f}", flush=True)
            running = 0.0
        if step % every == 0:
            _save(model, average, optimizer, step, time.time() - began, out, validation)
    _save(model, average, optimizer, step, time.time() - began, out, validation)


def _groups(model: nn.Module) -> list[dict]:
    decay = [p for p in model.parameters() if p.ndim > 1]
    return [{"params": decay, "weight_decay": 0.05}, {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0}]


def _save(model, average, optimizer, step, spent, out: Path, validation) -> None:
    torch.save({"model": model.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "spent": spent}, out / "last.pt")
    report = evaluate(average.module, validation)
    for name, r in report.items():
        print(f"  [{step}] {name}: macro-F1 {np.nanmean(r['f1']):.3f} AUC {np.nanmean(r['auc']):.3f} f1 {r['f1']} auc {r['auc']} r {r['r']}", flush=True)
    with (out / "log.ndjson").open("a") as f:
        f.write(json.dumps({"step": step, "seconds": spent, **report}) + "\n")
