"""Evaluates an ensemble on held-out people, exports it for the product, and writes the report's tables and plots."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from . import calibrate as calibration
from . import export as exporting
from . import labels, metrics, smoothing
from .crops import CropSet, normalise
from .edge import MEMBERS, EdgeModel
from .synthetic.aus import NAMES

WINDOW = 256
SIGMAS = (1.0, 2.0, 3.0, 5.0)  # frames


def sample_indices(total: int, most: int | None) -> np.ndarray:
    """At most `most` evenly spaced indices: a still costs a whole window, so reports use a sample of them."""
    return np.arange(total) if most is None or most >= total else np.linspace(0, total - 1, most).astype(int)


@torch.no_grad()
def embed(model: EdgeModel, crops: CropSet, index: np.ndarray | None = None, batch: int = 128) -> torch.Tensor:
    """Embeddings (N, d + c) in fp32 of unaugmented crops, as in the product."""
    index = np.arange(len(crops)) if index is None else index
    return torch.cat(
        [model.encode(torch.from_numpy(normalise(crops.centre(index[k : k + batch])))) for k in range(0, len(index), batch)]
    )


@torch.no_grad()
def scores(model: EdgeModel, embeddings: torch.Tensor, moving: bool, hop: int = 16, clip: int = WINDOW) -> dict[str, np.ndarray]:
    """Sigmoid scores (N, 12) of each member and of the ensemble, as the product publishes them.

    Clips of `clip` consecutive frames: every `hop` frames the window of the newest 256 frames, edge-padded on the left,
    gives the scores of its newest frames. Stills: one frame, edge-padded."""
    d, n = model.vivit.embed.out_features, len(embeddings)
    windows, fresh = [], []  # (first frame of the clip, last frame of the window); number of new scores
    for start in range(0, n, clip if moving else 1):
        stop = min(start + clip, n) if moving else start + 1
        ends = [*range(start + hop, stop, hop), stop]
        windows += [(start, end) for end in ends]
        fresh += np.diff([start, *ends]).tolist()
    parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for k in range(0, len(windows), 16):
        x = embeddings[torch.stack([torch.clamp(torch.arange(end - WINDOW, end), min=start) for start, end in windows[k : k + 16]])]
        for part, z in zip(parts, (model.vivit.score(x[..., :d]), model.nguyen.score(x[..., d:])[0])):
            part += [torch.sigmoid(row[WINDOW - new :]).numpy() for row, new in zip(z, fresh[k : k + 16])]
    first, second = (np.concatenate(p) for p in parts)
    return {"regnet-vit": first, "nguyen": second, "ensemble": (first + second) / 2}


def figures(intensity: np.ndarray, p: np.ndarray, thresholds: np.ndarray | float = 0.5) -> dict[str, list[float]]:
    """Metrics per AU over frames whose intensity (N, 12) is not nan."""
    thresholds, out = np.broadcast_to(thresholds, 12), []
    for k in range(12):
        known = ~np.isnan(intensity[:, k])
        level, score = intensity[known, k, None], p[known, k, None]
        truth = level >= labels.ACTIVE
        out.append(
            {
                "f1": metrics.f1(truth, score >= thresholds[k]),
                "auc": metrics.auc(truth, score),
                "ap": metrics.average_precision(truth, score),
                "ece": metrics.calibration_error(truth, score),
                "r": metrics.correlation(score, labels.targets(level)),
                "positives": truth.mean(0),
            }
        )
    return {k: [None if np.isnan(row[k][0]) else round(float(row[k][0]), 3) for row in out] for k in out[0]}


def smoothed(p: np.ndarray, sigma: float, causal: bool) -> np.ndarray:
    return np.concatenate([smoothing.smooth(p[k : k + WINDOW], sigma, causal=causal) for k in range(0, len(p), WINDOW)])


def stream_scores(model: EdgeModel, clips: CropSet) -> np.ndarray:
    """The ensemble's scores (N, 12) of clips as the product publishes them: streamed and causally smoothed."""
    return smoothed(scores(model, embed(model, clips), moving=True)["ensemble"], model.sigma["causal"], True)


def by_sigma(truth: np.ndarray, raw: np.ndarray, causal: bool = True) -> dict[float, float]:
    """σ of smoothing → macro-F1 at 0.5 of the clips' streamed scores (N, 12)."""
    coded, clips = np.where(np.isnan(truth), -1, truth >= labels.ACTIVE), len(raw) // WINDOW
    found = smoothing.search(np.split(coded, clips), np.split(raw, clips), SIGMAS, (smoothing.KERNEL,), causal)
    return {sigma: f1 for (sigma, _), f1 in found.items()}


def validation(model: EdgeModel, sets: list[Path]) -> tuple[list[np.ndarray], np.ndarray]:
    """On the validation people's clips of all sets: each member's streamed scores (N, 12), and the reference (N, 12)."""
    clips = [CropSet(folder / "clips-val") for folder in sets]
    parts = [scores(model, embed(model, s), moving=True) for s in clips]
    return [np.concatenate([p[name] for p in parts]) for name in MEMBERS], np.concatenate([s.truth for s in clips])


def calibrate(model: EdgeModel, members: list[np.ndarray], truth: np.ndarray) -> None:
    """Calibrates the model on the result of `validation`: folds in the logit shifts, then selects σ (causal, centred)
    from SIGMAS."""
    shift = calibration.best_shift(members, truth)
    calibration.fold(model, shift)
    raw = calibration.shifted(members, shift)
    for mode in model.sigma:
        found = by_sigma(truth, raw, mode == "causal")
        model.sigma[mode] = max(found, key=found.get)


def evaluate(model: EdgeModel, folder: Path, split: str, thresholds: np.ndarray | float = 0.5, stills: int = 480) -> dict:
    """Rows of Table 2 on clips, either streamed (the model's σ, 51 taps) or by whole windows, which see future frames; and
    the ensemble on stills and on photographs (weak labels). Threshold 0.5; rows that end in `@` use the model's
    thresholds."""
    out: dict = {}
    clips = CropSet(folder / f"clips-{split}")
    embedded = embed(model, clips)
    by_member = scores(model, embedded, moving=True)
    for member, p in by_member.items():
        out[f"clips/{member}"] = figures(clips.truth, p)
    e = by_member["ensemble"]
    causal = smoothed(e, model.sigma["causal"], True)
    out["clips/ensemble+causal"] = figures(clips.truth, causal)
    out["clips/ensemble+causal@"] = figures(clips.truth, causal, thresholds)
    out["clips/ensemble+centered"] = figures(clips.truth, smoothed(e, model.sigma["centered"], False))
    whole = scores(model, embedded, moving=True, hop=WINDOW)["ensemble"]
    out["clips/ensemble+whole"] = figures(clips.truth, smoothed(whole, model.sigma["centered"], False))
    for kind in ("stills", "portraits"):
        s = CropSet(folder / f"{kind}-{split}")
        index = sample_indices(len(s), stills)
        p, truth = scores(model, embed(model, s, index), moving=False)["ensemble"], s.truth[index]
        out[kind], out[kind + "@"] = figures(truth, p), figures(truth, p, thresholds)
    return out


def export(run: Path, sets: list[Path], out: Path, version: str, training: dict) -> dict:
    """Exports checkpoint `run`/last.pt to the model directory `out`.

    Calibration and σ are chosen on the validation people's clips of all `sets`. Weights are then rounded to fp16 and
    evaluated on the test people of the first set. Reliability of an AU: 2·AUC − 1 of the ensemble, the lower value of
    held-out clips and stills."""
    model = EdgeModel()
    model.load_state_dict(torch.load(run / "last.pt", weights_only=True)["model"])
    model.eval()
    calibrate(model, *validation(model, sets))
    model.load_state_dict({k: v.half().float() if v.is_floating_point() else v for k, v in model.state_dict().items()})
    test = evaluate(model, sets[0], "test")
    auc = np.minimum(*(np.array(test[k]["auc"], float) for k in ("clips/ensemble+causal", "stills")))
    reliability = np.clip(2 * auc - 1, 0, 1)
    exporting.write(model, out, version, {"aus": list(NAMES), "test": test}, reliability, np.full(12, 0.5), training)
    return test


def headline(intensity: np.ndarray, p: np.ndarray) -> str:
    """Two table cells: macro-F1 at 0.5 and mean AUC; AUs with a single class are omitted from the mean."""
    row = figures(intensity, p)
    return f"{np.mean(row['f1']):.3f} | {np.mean([a for a in row['auc'] if a is not None]):.3f}"


def clear_f1(intensity: np.ndarray, p: np.ndarray, margin: float = 0.12) -> float:
    """Macro-F1 without the frames whose intensity of that AU is within `margin` of the activity threshold."""
    clear = np.abs(intensity - labels.ACTIVE) > margin  # False for nan
    return metrics.macro_f1(np.where(clear, intensity >= labels.ACTIVE, -1), p)


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
    """Markdown in the format of the paper's Table 2: macro-F1 and mean AUC on held-out clips."""
    names = {
        "clips/regnet-vit": "RegNet-ViT",
        "clips/nguyen": "Nguyen et al.",
        "clips/ensemble": "Ensemble",
        "clips/ensemble+causal": "Ensemble, causal smoothing (the product's)",
        "clips/ensemble+centered": "Ensemble, centred smoothing",
        "clips/ensemble+whole": "Ensemble, whole windows, centred smoothing (as the paper scores)",
        "clips/ensemble+causal@": "Ensemble, causal smoothing, thresholds of model.json",
    }
    rows = ["| system | macro-F1 | mean AUC |", "|---|---|---|"]
    for key, name in names.items():
        auc = [a for a in test[key]["auc"] if a is not None]
        rows.append(f"| {name} | {np.mean(test[key]['f1']):.3f} | {np.mean(auc):.3f} |")
    return "\n".join(rows)


def read(folder: Path) -> dict:
    return json.loads((folder / "model.json").read_text())["metrics"]["test"]
