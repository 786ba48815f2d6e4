"""Measures an ensemble on held-out people, writes it for the product, and draws the report's tables and plots."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from . import export as exporting
from . import labels, metrics, smoothing
from .crops import CropSet, normalised
from .edge import EdgeModel
from .synthetic.aus import NAMES

WINDOW = 256
MEMBERS = ("regnet-vit", "nguyen", "ensemble")


@torch.no_grad()
def embed(model: EdgeModel, crops: CropSet, batch: int = 128) -> torch.Tensor:
    """(N, d + c) in fp32, from unaugmented crops: the product's own way."""
    index = np.arange(len(crops))
    return torch.cat(
        [model.encode(torch.from_numpy(normalised(crops.centre(index[k : k + batch])))) for k in range(0, len(index), batch)]
    )


@torch.no_grad()
def scores(model: EdgeModel, embeddings: torch.Tensor, moving: bool) -> dict[str, np.ndarray]:
    """Each member's and the ensemble's sigmoid scores (N, 12): clips by whole windows, stills edge-padded."""
    d = model.vivit.embed.out_features
    parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for k in range(0, len(embeddings), WINDOW if moving else 16):
        e = embeddings[k : k + WINDOW][None] if moving else embeddings[k : k + 16][:, None].expand(-1, WINDOW, -1)
        for part, z in zip(parts, (model.vivit.score(e[..., :d]), model.nguyen.score(e[..., d:])[0])):
            part.append(torch.sigmoid(z[0] if moving else z[:, -1]).numpy())
    first, second = (np.concatenate(p) for p in parts)
    return {"regnet-vit": first, "nguyen": second, "ensemble": (first + second) / 2}


def figures(intensity: np.ndarray, p: np.ndarray, thresholds: np.ndarray | float = 0.5) -> dict[str, list[float]]:
    truth = intensity >= labels.ACTIVE
    rows = {
        "f1": metrics.f1(truth, p >= thresholds),
        "auc": metrics.auc(truth, p),
        "ap": metrics.average_precision(truth, p),
        "ece": metrics.calibration_error(truth, p),
        "r": metrics.correlation(p, labels.targets(intensity)),
        "positives": truth.mean(0),
    }
    return {k: [None if np.isnan(x) else round(float(x), 3) for x in v] for k, v in rows.items()}


def smoothed(p: np.ndarray, sigma: float, kernel: int, causal: bool) -> np.ndarray:
    return np.concatenate([smoothing.smooth(p[k : k + WINDOW], sigma, kernel, causal) for k in range(0, len(p), WINDOW)])


def choose_thresholds(model: EdgeModel, folder: Path) -> np.ndarray:
    """Per AU the threshold of best F1 on the validation people's clips (smoothed) and stills."""
    clips, stills = CropSet(folder / "clips-val"), CropSet(folder / "stills-val")
    p = np.concatenate(
        [
            smoothed(scores(model, embed(model, clips), moving=True)["ensemble"], 3, 51, True),
            scores(model, embed(model, stills), moving=False)["ensemble"],
        ]
    )
    return metrics.best_thresholds(np.concatenate([clips.labels, stills.labels]) >= labels.ACTIVE, p)


def evaluate(model: EdgeModel, folder: Path, split: str, thresholds: np.ndarray | float = 0.5) -> dict:
    """Table 2's rows on clips (σ 3, 51 taps), and the ensemble on stills and on photographs (weak truth). Members
    are measured at 0.5, rows that end in `@` at the model's own thresholds."""
    out: dict = {}
    clips = CropSet(folder / f"clips-{split}")
    by_member = scores(model, embed(model, clips), moving=True)
    for member, p in by_member.items():
        out[f"clips/{member}"] = figures(clips.labels, p)
    e = by_member["ensemble"]
    out["clips/ensemble+causal"] = figures(clips.labels, smoothed(e, 3, 51, True))
    out["clips/ensemble+causal@"] = figures(clips.labels, smoothed(e, 3, 51, True), thresholds)
    out["clips/ensemble+centered"] = figures(clips.labels, smoothed(e, 3, 51, False))
    for kind in ("stills", "portraits"):
        s = CropSet(folder / f"{kind}-{split}")
        p = scores(model, embed(model, s), moving=False)["ensemble"]
        out[kind], out[kind + "@"] = figures(s.labels, p), figures(s.labels, p, thresholds)
    return out


def export(run: Path, sets: Path, out: Path, version: str, training: dict) -> dict:
    """Checkpoint `run`/last.pt → model directory `out`. Weights are rounded to fp16 before anything is measured.
    Reliability of an AU: 2·AUC − 1 of the ensemble, the lower of held-out clips and stills."""
    model = EdgeModel()
    model.load_state_dict(torch.load(run / "last.pt")["model"])
    model.load_state_dict({k: v.half().float() if v.is_floating_point() else v for k, v in model.state_dict().items()})
    model.eval()
    limits = choose_thresholds(model, sets)
    test = evaluate(model, sets, "test", limits)
    auc = np.minimum(*(np.array(test[k]["auc"], float) for k in ("clips/ensemble+causal", "stills")))
    reliability = np.clip(2 * auc - 1, 0, 1)
    exporting.write(model, out, version, {"aus": list(NAMES), "test": test}, reliability, limits, training)
    return test


def table(test: dict) -> str:
    """Markdown: one row per AU."""
    columns = [("clips/ensemble+causal@", "f1"), ("clips/ensemble+causal", "auc"), ("clips/ensemble+causal", "r"), ("stills@", "f1"), ("stills", "auc")]
    columns += [("portraits", "auc"), ("portraits", "r")]
    lines = ["| AU | " + " | ".join(f"{k.split('/')[0].rstrip('@')} {m}" for k, m in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for i, name in enumerate(NAMES):
        cells = ["–" if test[k][m][i] is None else f"{test[k][m][i]:.3f}" for k, m in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    mean = [np.nanmean([np.nan if v is None else v for v in test[k][m]]) for k, m in columns]
    lines.append("| macro | " + " | ".join(f"{v:.3f}" for v in mean) + " |")
    return "\n".join(lines)


def members(test: dict) -> str:
    """Markdown in the shape of the paper's Table 2: macro-F1 and mean AUC on held-out clips."""
    names = {
        "clips/regnet-vit": "RegNet-ViT",
        "clips/nguyen": "Nguyen et al.",
        "clips/ensemble": "Ensemble",
        "clips/ensemble+causal": "Ensemble, causal smoothing (the product's)",
        "clips/ensemble+centered": "Ensemble, centred smoothing (the paper's)",
        "clips/ensemble+causal@": "Ensemble, causal smoothing, thresholds of model.json",
    }
    rows = ["| system | macro-F1 | mean AUC |", "|---|---|---|"]
    for key, name in names.items():
        auc = [a for a in test[key]["auc"] if a is not None]
        rows.append(f"| {name} | {np.mean(test[key]['f1']):.3f} | {np.mean(auc):.3f} |")
    return "\n".join(rows)


def read(folder: Path) -> dict:
    return json.loads((folder / "model.json").read_text())["metrics"]["test"]


@torch.no_grad()
def stream(model: EdgeModel, embeddings: torch.Tensor, hop: int = 16, sigma: float = 3.0) -> np.ndarray:
    """Scores (T, 12) as the product publishes them: every `hop` frames the window of the newest 256, edge-padded
    on the left, gives its newest scores; then causal smoothing."""
    out, total = [], len(embeddings)
    for end in range(hop, total + hop, hop):
        end, first = min(end, total), len(out) and sum(map(len, out))
        index = torch.clamp(torch.arange(end - WINDOW, end), min=0)
        out.append(model.score(embeddings[index][None])[0, WINDOW - (end - first) :].numpy())
    return smoothing.smooth(np.concatenate(out), sigma)
