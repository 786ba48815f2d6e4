"""Stage two: the window encoders learn on the frame encoder's cached features.

Half of what they see are clips, some with a padded start (a face that has just appeared) or at half speed; the
other half are stills repeated over the whole window, because that is what the product makes of a photograph.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from . import labels, losses, metrics, smoothing

WINDOW = 256


class FeatureSet:
    """Features (N, 16, C) float16 with intensities and trust (N, 12), as `cache` writes them."""

    def __init__(self, folder: Path, name: str):
        self.name = name
        self.features = np.load(folder / f"{name}-features.npy", mmap_mode="r")
        self.labels = np.load(folder / f"{name}-labels.npy")
        self.weights = np.load(folder / f"{name}-weights.npy")

    @property
    def clips(self) -> int:
        return len(self.labels) // WINDOW


class Sampler:
    def __init__(self, clips: FeatureSet, stills: list[FeatureSet], seed: int):
        self.clips, self.stills, self.rng = clips, stills, np.random.default_rng(seed)

    def clip(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng, start = self.rng, int(self.rng.integers(self.clips.clips)) * WINDOW
        index = np.arange(WINDOW)
        if rng.random() < 0.4:  # edge-padded on the left, as during warm-up
            pad = int(rng.integers(1, WINDOW - 1))
            index = np.r_[np.zeros(pad, int), np.arange(WINDOW - pad)] + int(rng.integers(0, pad + 1))
        if rng.random() < 0.25:
            index = index // 2 + int(rng.integers(0, WINDOW // 2))
        index = np.minimum(index, WINDOW - 1) + start
        return np.asarray(self.clips.features[index]), self.clips.labels[index], self.clips.weights[index]

    def still(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        s = self.stills[int(self.rng.integers(len(self.stills)))]
        i = int(self.rng.integers(len(s.labels)))
        return np.asarray(s.features[i]), s.labels[i], s.weights[i]


@torch.no_grad()
def start_from(model: nn.Module, frame_head: nn.Linear) -> None:
    """Starts the Nguyen member where the frame stage ended: branch 2 passes the features on and reads them with
    the frame stage's head, the fusion takes mostly branch 2. (Features are ≥ 0, and a bias keeps the fusion's
    ReLU in its linear part.)"""
    n, c = model.nguyen, frame_head.in_features
    for layer, rows in ((n.branch2[0], slice(0, c)), (n.branch2[2], slice(None))):
        layer.weight.mul_(0.1)
        layer.weight[rows, :c] += torch.eye(c)
        layer.bias.zero_()
    n.heads[1].load_state_dict(frame_head.state_dict())
    prior = frame_head.bias.mean()
    for head in (n.heads[0], n.heads[2], model.vivit.head):
        head.weight.mul_(0.3)
        head.bias.fill_(prior)
    n.fusion[0].weight.mul_(0.1)
    for branch, share in enumerate((0.2, 0.6, 0.2)):
        n.fusion[0].weight[:12, branch * 12 : branch * 12 + 12] += share * torch.eye(12)
    n.fusion[0].bias[:12] = 8.0
    n.fusion[2].weight.mul_(0.1)
    n.fusion[2].weight[:, :12] = torch.eye(12)
    n.fusion[2].bias.fill_(-8.0)


def score(model: nn.Module, clips: torch.Tensor | None, stills: torch.Tensor | None):
    """Clips (b, 256, 16, C) and stills (s, 16, C) → logits of both members over (b + s, 256, 12) and the second
    member's branches."""
    parts, pooled = [], []
    if clips is not None:
        b = len(clips)
        parts.append(model.vivit.encode(clips.reshape(-1, *clips.shape[2:])).view(b, WINDOW, -1))
        pooled.append(clips.mean(2))
    if stills is not None:
        parts.append(model.vivit.encode(stills)[:, None].expand(-1, WINDOW, -1))
        pooled.append(stills.mean(1)[:, None].expand(-1, WINDOW, -1))
    fused, branches = model.nguyen.score(torch.cat(pooled))
    return model.vivit.score(torch.cat(parts)), fused, branches


def train(
    model: nn.Module, sampler: Sampler, validation: list[FeatureSet], out: Path, seconds: float, lr: float = 1.5e-3,
    clips: int = 2, stills: int = 4, gamma: float = 0.0, branch_weight: float = 0.3, beta: float = 0.0,
    frequency: np.ndarray | None = None,
) -> None:
    """AdamW and one cosine over `seconds`; beta > 0 adds Robin Hood smoothing of the soft targets. gamma 0 is plain
    cross-entropy: on soft targets focusing leaves scores too timid for a threshold of 0.5."""
    out.mkdir(parents=True, exist_ok=True)
    parameters = [*model.vivit.parameters(), *model.nguyen.parameters()]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.05},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=lr,
    )
    began, step, running = time.time(), 0, 0.0
    while (share := (time.time() - began) / seconds) < 1:
        for g in optimizer.param_groups:
            g["lr"] = float(lr * min(1, (step + 1) / 100) * (0.5 * (1 + np.cos(np.pi * share)) + 0.002))
        many, single = [sampler.clip() for _ in range(clips)], [sampler.still() for _ in range(stills)]
        spread = lambda k: np.concatenate(  # noqa: E731
            [np.stack([m[k] for m in many]), np.repeat(np.stack([s[k] for s in single])[:, None], WINDOW, 1)]
        ).astype(np.float32)
        y, w = torch.from_numpy(labels.targets(spread(1))), torch.from_numpy(spread(2))
        if beta > 0:
            y = losses.robin_hood(y, torch.from_numpy(frequency), beta)
        with torch.autocast("cpu", torch.bfloat16):
            first, fused, branches = score(
                model, torch.from_numpy(np.stack([m[0] for m in many])).float(), torch.from_numpy(np.stack([s[0] for s in single])).float()
            )
        focal = lambda z: (losses.sigmoid_focal(z.float(), y, gamma) * w).sum() / w.sum()  # noqa: E731
        loss = focal(first) + losses.branched(focal(fused), [focal(b) for b in branches], branch_weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step, running = step + 1, running + loss.item()
        if step % 50 == 0:
            print(f"step {step} loss {running / 50:.4f} share {share:.2f}", flush=True)
            running = 0.0
    torch.save({"model": model.state_dict(), "step": step}, out / "last.pt")
    for s in validation:
        for member, p in predict(model, s).items():
            truth = s.labels >= labels.ACTIVE
            f1, auc = metrics.f1(truth, p >= 0.5), metrics.auc(truth, p)
            print(f"  {s.name} {member}: macro-F1 {f1.mean():.3f} AUC {np.nanmean(auc):.3f}", flush=True)


@torch.no_grad()
def predict(model: nn.Module, s: FeatureSet, sigma: float | None = None) -> dict[str, np.ndarray]:
    """Sigmoid scores (N, 12) of each member and of their mean. Clips by whole windows (smoothed causally where
    `sigma` is given), stills as constant windows read at their newest frame."""
    was_training = model.training
    model.eval()
    members: list[list[np.ndarray]] = [[], []]
    moving = s.name.startswith("clips")
    for k in range(0, s.clips if moving else len(s.labels), 1 if moving else 16):
        if moving:
            x = torch.from_numpy(np.array(s.features[k * WINDOW : (k + 1) * WINDOW])).float()[None]
            first, fused, _ = score(model, x, None)
        else:
            first, fused, _ = score(model, None, torch.from_numpy(np.array(s.features[k : k + 16])).float())
            first, fused = first[:, -1], fused[:, -1]
        for member, z in zip(members, (first, fused)):
            p = torch.sigmoid(z).reshape(-1, 12).numpy()
            member.append(p)
    out = {"regnet-vit": members[0], "nguyen": members[1], "ensemble": [(a + b) / 2 for a, b in zip(*members)]}
    if sigma is not None and moving:
        out = {name: [smoothing.smooth(p, sigma) for p in parts] for name, parts in out.items()}
    model.train(was_training)
    return {name: np.concatenate(parts) for name, parts in out.items()}
