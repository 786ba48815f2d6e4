"""The paper's training recipe (Vu et al. 2023, sections 3–4) for Aff-Wild2, one command per row of Table 2.

Whole 256-frame sequences through RegNetY-400MF, stem and first block frozen; sigmoid focal loss on Robin Hood
smoothed labels; SGD from 0.9 with cosine annealing and warm restarts; horizontal flip and colour jitter.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from . import checkpoint, losses, metrics, processes, schedules, smoothing
from .crops import normalise
from .data.abaw import Video, windows
from .edge import Nguyen, RegNet, ViViT
from .precision import mixed

PRESETS = {
    "paper": {"dim": 1024, "heads": 8, "mlp": 4096, "spatialLayers": 8, "temporalLayers": 4},
    "paper-compact": {"dim": 440, "heads": 8, "mlp": 1024, "spatialLayers": 8, "temporalLayers": 4},
}
NGUYEN = {"heads": 10, "mlp": 512, "encoderLayers": 2, "decoderLayers": 2}
BACKBONE = {"stem": 32, "depths": (1, 3, 6, 6), "widths": (48, 104, 208, 440), "group": 8}


@dataclass
class Recipe:
    member: str = "regnet-vit"  # or nguyen
    preset: str = "paper-compact"
    window: int = 256
    batch: int = 4  # windows per step over all processes
    epochs: int = 20
    lr: float = 0.9
    momentum: float = 0.9
    weight_decay: float = 1e-4
    restart: int = 5  # epochs of the first cosine cycle
    growth: float = 1.0
    gamma: float = 2.0
    beta: float = 0.1  # Robin Hood smoothing
    branch_weight: float = 0.3  # c of the Nguyen loss
    clip: float = 1.0  # maximum gradient norm; the paper gives none, but lr 0.9 needs one
    seed: int = 0


class Member(nn.Module):
    """Crops (b, f, 3, 112, 112) → logits (b, f, 12), and branch logits if the member has branches."""

    def __init__(self, recipe: Recipe, pretrained: Path | None = None):
        super().__init__()
        self.backbone = RegNet(**BACKBONE)
        if pretrained:  # ImageNet weights under timm's names
            state = torch.load(pretrained, map_location="cpu", weights_only=True)
            self.backbone.load_state_dict({k: v for k, v in state.items() if not k.startswith("head.")})
        c = BACKBONE["widths"][-1]
        if recipe.member == "nguyen":
            self.head: nn.Module = Nguyen(c, **NGUYEN, window=recipe.window)
        else:
            self.head = ViViT(c, **PRESETS[recipe.preset], window=recipe.window)
        for part in (self.backbone.stem, self.backbone.s1):
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> "Member":
        super().train(mode)
        self.backbone.stem.eval()  # also freezes batch-norm statistics
        self.backbone.s1.eval()
        return self

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        b, n = x.shape[:2]
        f = self.backbone(x.flatten(0, 1)).flatten(2).transpose(1, 2)  # (b f) t c
        if isinstance(self.head, Nguyen):
            return self.head.score(f.mean(1).view(b, n, -1))
        return self.head.score(self.head.encode(f).view(b, n, -1)), []


def load_window(video: Video, index: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
    """(n, 112, 112, 3) RGB; with `rng`, one flip and one colour jitter for the whole window."""
    out = np.stack([cv2.imread(str(video.files[i]))[..., ::-1] for i in index]).astype(np.float32)
    if rng is not None:
        if rng.random() < 0.5:
            out = out[:, :, ::-1]
        out = out * rng.uniform(0.8, 1.2) * rng.uniform(0.95, 1.05, 3).astype(np.float32) + rng.uniform(-12, 12)
    return np.clip(out, 0, 255)


def mask(index: np.ndarray) -> np.ndarray:
    """False for repeated frames, which are padding and do not count in the loss."""
    return np.r_[True, np.diff(index) > 0]


class _Epoch(Dataset):
    """The windows of one epoch in training order, each augmented with its own seed."""

    def __init__(self, items: list[tuple[Video, np.ndarray]], order: np.ndarray, seed: list[int]):
        self.items, self.order, self.seed = items, order, seed

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Network input (n, 3, 112, 112), labels (n, 12), and a mask (n, 12) of labels that are coded and not padding."""
        video, w = self.items[self.order[i]]
        crops = load_window(video, w, np.random.default_rng([*self.seed, i]))
        y = video.labels[w].astype(np.float32)
        return normalise(crops), y, mask(w)[:, None] & (y >= 0)


def train(
    recipe: Recipe, videos: list[Video], out: Path, pretrained: Path | None = None, log=None, device: str | None = None, workers: int = 0
) -> Member:
    """Trains one member; an interrupted run resumes after its last finished epoch.

    Under torchrun the windows of a step are split over the processes, gradients are averaged
    (DistributedDataParallel), and on GPUs batch-norm statistics are synchronized. `workers`: data loading processes
    per process."""
    rank, world, device = processes.join(device)
    if recipe.batch % world:
        raise ValueError(f"a batch of {recipe.batch} windows cannot be shared by {world} processes: choose a multiple")
    torch.manual_seed(recipe.seed)
    out.mkdir(parents=True, exist_ok=True)
    model = Member(recipe, pretrained).to(device)
    kind, learner = torch.device(device).type, model
    if world > 1:
        if kind == "cuda":
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        learner = nn.parallel.DistributedDataParallel(model, device_ids=[torch.device(device)] if kind == "cuda" else None)
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay
    )
    frequency = torch.from_numpy(losses.frequencies(np.concatenate([v.labels for v in videos]))).to(device)
    items = [(v, w) for v in videos for w in windows(v, recipe.window)]
    steps, start = max(1, len(items) // recipe.batch), 0
    if (out / "last.pt").is_file():
        saved = torch.load(out / "last.pt", map_location=device, weights_only=True)
        if saved["recipe"] != asdict(recipe):
            raise ValueError(f"{out} holds a run of another recipe: {saved['recipe']}")
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        start = saved["epoch"]
    for epoch in range(start, recipe.epochs):
        order = np.resize(np.random.default_rng([recipe.seed, epoch]).permutation(len(items)), steps * recipe.batch)
        own = _Epoch(items, order[rank::world], [recipe.seed, epoch, rank])
        total = 0.0
        learner.train()
        for step, (x, y, keep) in enumerate(DataLoader(own, recipe.batch // world, num_workers=workers)):
            x, y, keep = x.to(device), y.to(device), keep.to(device)
            for g in optimizer.param_groups:
                g["lr"] = schedules.warm_restarts(epoch + step / steps, recipe.restart, recipe.lr, growth=recipe.growth)
            target = losses.robin_hood(y.clamp_min(0), frequency, recipe.beta)[keep]
            with mixed(kind):
                fused, branches = learner(x)
            focal = lambda z: losses.sigmoid_focal(z.float()[keep], target, recipe.gamma).mean()  # noqa: E731
            loss = losses.branched(focal(fused), [focal(b) for b in branches], recipe.branch_weight) if branches else focal(fused)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            optimizer.step()
            total += loss.item()
        if rank == 0:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch + 1, "recipe": asdict(recipe)}
            checkpoint.write(out, state)
            if log:
                log.add_scalar("loss", total / steps, epoch)
                log.add_scalar("lr", optimizer.param_groups[0]["lr"], epoch)
            print(f"epoch {epoch + 1}/{recipe.epochs} loss {total / steps:.4f}", flush=True)
    return model


@torch.no_grad()
def predict(model: Member, videos: list[Video], window: int = 256) -> list[np.ndarray]:
    """Sigmoid scores (N, 12) per video; under torchrun the videos are split over the processes."""
    model.eval()
    rank, world, _ = processes.join(str(next(model.parameters()).device))
    device, out = next(model.parameters()).device, {}
    for k in range(rank, len(videos), world):
        v = videos[k]
        out[k] = np.zeros((len(v.frames), 12), np.float32)
        for w in windows(v, window):
            x = torch.from_numpy(normalise(load_window(v, w, None)))[None].to(device)
            out[k][w[mask(w)]] = torch.sigmoid(model(x)[0][0].float()).cpu().numpy()[mask(w)]
    every = processes.gather(out, world)
    return [every[k] for k in range(len(videos))]


def macro_f1(videos: list[Video], scores: list[np.ndarray]) -> float:
    """Macro-F1 at threshold 0.5, pooled over frames, over coded AUs; with all 12 coded it is the challenge's metric."""
    return metrics.macro_f1(np.concatenate([v.labels for v in videos]), np.concatenate(scores))


def grid(videos: list[Video], scores: list[np.ndarray], causal: bool) -> dict[tuple[float, int], float]:
    """Macro-F1 for each σ and kernel length of the grid in which the paper found σ 3, 51 taps."""
    return smoothing.search([v.labels for v in videos], scores, (1, 2, 3, 5, 8), (13, 25, 51, 101), causal)
