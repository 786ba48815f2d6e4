"""Evaluation on real faces outside the training data, scored as by the product: clips against the landmark model's
estimates, smiles on held-out photographs, and differences between skin tones."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import torch

from . import metrics, real, smoothing
from .crops import CANVAS, SIZE, CropSet, normalise
from .edge import EdgeModel
from .report import embed, figures, headline, scores, sample_indices, stream_scores
from .synthetic import head
from .synthetic.aus import NAMES
from .synthetic.generate import SIZES

SMILING, NOT_SMILING = 0.5, 0.2  # of the landmark model's mouthSmile


@torch.no_grad()
def read(model: EdgeModel, clip: real.RealClip) -> np.ndarray:
    """Streamed, causally smoothed scores (T, 12) of a clip."""
    e = torch.cat([model.encode(torch.from_numpy(normalise(clip.crops[k : k + 128]))) for k in range(0, len(clip.crops), 128)])
    return smoothing.smooth(scores(model, e, moving=True, clip=len(e))["ensemble"], model.sigma["causal"])


def brows(points: np.ndarray) -> dict[str, np.ndarray]:
    """Brow measurements from landmarks (T, 478, 2), in eye distances: height of the inner and the outer ends above the
    eyes, and closeness of the inner ends to the eyes and to each other. Nodding changes all of them as well."""
    line = points[:, 263] - points[:, 33]
    wide = np.linalg.norm(line, axis=1)
    up = np.stack([line[:, 1], -line[:, 0]], 1) / wide[:, None] ** 2
    height = lambda *pairs: np.mean([((points[:, brow] - points[:, eye]) * up).sum(1) for brow, eye in pairs], 0)  # noqa: E731
    inner = height((107, 133), (55, 133), (336, 362), (285, 362))
    outer = height((105, 33), (70, 33), (334, 263), (300, 263))
    gap = np.linalg.norm(points[:, 55] - points[:, 285], axis=1) / wide
    return {"au01": inner, "au02": outer, "au04": -(inner + gap)}


def courses(p: np.ndarray, clip: real.RealClip) -> str:
    """Markdown: per AU the correlation with the landmark model's blendshapes, and for the brows with its landmarks, and
    the ranges. A correlation is meaningless when the reference hardly moves (less than 0.2; landmarks 0.05)."""
    r, own = metrics.correlation(p, clip.teacher), brows(clip.points)
    lines = ["| AU | r | score | landmark model | r, brow landmarks |", "|---|---|---|---|---|"]
    for k, name in enumerate(NAMES):
        t, g = clip.teacher[:, k], own.get(name)
        shown = "–" if np.ptp(t) < 0.2 else f"{r[k]:.2f}"
        moved = "" if g is None else "–" if np.ptp(g) < 0.05 else f"{np.corrcoef(p[:, k], g)[0, 1]:.2f}"
        lines.append(f"| {name} | {shown} | {p[:, k].min():.2f}…{p[:, k].max():.2f} | {t.min():.2f}…{t.max():.2f} | {moved} |")
    return "\n".join(lines)


@torch.no_grad()
def photographs(model: EdgeModel, photos: real.RealClip) -> dict[str, float]:
    """AUC of AU6, AU12 and AU25 between smiling and unsmiling photographs, and their scores relative to 0.5."""
    e = model.encode(torch.from_numpy(normalise(photos.crops)))
    p = scores(model, e, moving=False)["ensemble"]
    smile = np.mean([photos.shapes[:, photos.names.index(f"mouthSmile{s}")] for s in ("Left", "Right")], 0)
    keep = (smile >= SMILING) | (smile <= NOT_SMILING)
    truth = smile >= SMILING
    out: dict[str, float] = {"smiling": int(truth.sum()), "not smiling": int((smile <= NOT_SMILING).sum())}
    for name in ("au06", "au12", "au25"):
        k = NAMES.index(name)
        out[f"{name} AUC"] = metrics.auc(truth[keep, None], p[keep, k : k + 1])[0]
        out[f"{name} share ≥ 0.5, smiling"] = float((p[truth, k] >= 0.5).mean())
        out[f"{name} share ≥ 0.5, not smiling"] = float((p[smile <= NOT_SMILING, k] >= 0.5).mean())
    out["au04 share ≥ 0.5, smiling"] = float((p[truth, NAMES.index("au04")] >= 0.5).mean())
    return out


def tone(photo: np.ndarray, points: np.ndarray) -> float:
    """Individual typology angle in degrees (larger is lighter) of both cheeks; points (478, 2)."""
    lab = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    spots = points[[50, 280, 205, 425]].astype(int)
    patch = np.concatenate([lab[y - 3 : y + 4, x - 3 : x + 4].reshape(-1, 3) for x, y in spots])
    light, _, yellow = np.median(patch, 0)
    return float(np.degrees(np.arctan2(light - 50, yellow)))


def by_group(model: EdgeModel, stills: CropSet, groups: dict[int, str], most: int = 640) -> str:
    """Markdown: macro-F1 and mean AUC on animated portraits of held-out people, by group of people."""
    index = np.flatnonzero(np.isin(stills.groups, list(groups)))
    index = index[sample_indices(len(index), most)]
    p = scores(model, embed(model, stills, index), moving=False)["ensemble"]
    names = np.array([groups[g] for g in stills.groups[index]])
    lines = ["| group | people | crops | macro-F1 | mean AUC |", "|---|---|---|---|---|"]
    for name in dict.fromkeys(groups.values()):
        m = names == name
        lines.append(f"| {name} | {len(set(stills.groups[index[m]]))} | {m.sum()} | {headline(stills.truth[index[m]], p[m])} |")
    return "\n".join(lines)


def by_size(model: EdgeModel, stills: CropSet) -> str:
    """Markdown: macro-F1 and mean AUC of the same moments at decreasing face sizes (`generate.SIZES`)."""
    p = scores(model, embed(model, stills), moving=False)["ensemble"]
    lines = ["| aligned crop, pixels | between the eyes | crops | macro-F1 | mean AUC |", "|---|---|---|---|---|"]
    eyes = np.diff(head.TEMPLATE[:2, 0])[0] / SIZE
    for k, size in enumerate(SIZES):
        seen, side = slice(k, None, len(SIZES)), size * SIZE / CANVAS
        lines.append(f"| {side:.0f} | {side * eyes:.0f} | {len(p[seen])} | {headline(stills.truth[seen], p[seen])} |")
    return "\n".join(lines)


def fair_table(model: EdgeModel, folder: Path, most: int = 480) -> str:
    """Markdown: F1 and AUC per AU on the clips and stills of a fair set (generate.py)."""
    clips, stills = CropSet(folder / "clips-test"), CropSet(folder / "stills-test")
    index = sample_indices(len(stills), most)
    still = scores(model, embed(model, stills, index), moving=False)["ensemble"]
    columns = [row for y, p in ((clips.truth, stream_scores(model, clips)), (stills.truth[index], still)) for row in (figures(y, p)["f1"], figures(y, p)["auc"])]
    heads = [len(set(s.groups)) for s in (clips, stills)]
    lines = [f"| AU | {heads[0]} clips f1 | clips auc | stills of {heads[1]} heads f1 | stills auc |", "|---|---|---|---|---|"]
    lines += [f"| {name} | " + " | ".join(f"{c[k]:.3f}" for c in columns) + " |" for k, name in enumerate(NAMES)]
    return "\n".join([*lines, "| macro | " + " | ".join(f"{np.mean(c):.3f}" for c in columns) + " |"])


def tone_terciles(tones: dict[int, float]) -> dict[int, str]:
    """Person → lightest, middle or darkest tercile by skin tone."""
    low, high = np.quantile(list(tones.values()), [1 / 3, 2 / 3])
    third = {k: "lightest" if t > high else "middle" if t > low else "darkest" for k, t in tones.items()}
    return dict(sorted(third.items(), key=lambda item: -tones[item[0]]))


def sexes(table: Path, files: np.ndarray, people: np.ndarray) -> dict[int, str]:
    """Person → women or men, from `table`: a CSV with `bioguide` (a photo's file name without .jpg) and `gender` (F or M).
    People that are not in the table are omitted."""
    with table.open() as f:
        known = {row["bioguide"]: row["gender"] for row in csv.DictReader(f)}
    words = {"F": "women", "M": "men"}
    return {int(i): words[g] for i in people if (g := known.get(Path(str(files[i])).stem)) in words}


def tones(folder: Path, files: np.ndarray, points: np.ndarray, people: np.ndarray) -> dict[int, float]:
    return {int(i): tone(cv2.cvtColor(cv2.imread(str(folder / str(files[i]))), cv2.COLOR_BGR2RGB), points[i]) for i in people}
