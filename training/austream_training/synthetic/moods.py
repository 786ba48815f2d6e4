"""AU scripts of synthetic faces: intensities that occur together, alone or in speech, at one instant or over time."""

from __future__ import annotations

import numpy as np

from .aus import TABLE

# mood → (relative frequency, {AU: (probability, minimum intensity, maximum intensity)})
MOODS: dict[str, tuple[float, dict[str, tuple[float, float, float]]]] = {
    "neutral": (0.12, {}),
    "smile": (0.16, {"au12": (1, 0.2, 1), "au06": (0.65, 0.2, 1), "part": (0.55, 0.1, 1), "au07": (0.25, 0.1, 0.6), "au26": (0.2, 0.1, 0.6), "au01": (0.12, 0.1, 0.7), "au02": (0.12, 0.1, 0.7)}),
    "laugh": (0.07, {"au12": (1, 0.3, 1), "au06": (0.8, 0.2, 1), "au26": (0.7, 0.3, 1), "au27": (0.35, 0.1, 0.6), "part": (0.8, 0.2, 1), "au07": (0.3, 0.1, 0.6)}),
    "polite": (0.05, {"au12": (1, 0.1, 0.7), "au24": (0.2, 0.1, 0.5), "au14": (0.4, 0.1, 0.8)}),
    "surprise": (0.07, {"au01": (1, 0.3, 1), "au02": (1, 0.3, 1), "au05": (0.6, 0.2, 1), "au26": (0.7, 0.2, 1), "part": (0.5, 0.1, 0.6)}),
    "raise": (0.08, {"au01": (1, 0.15, 1), "au02": (1, 0.15, 1), "au12": (0.2, 0.1, 0.8), "part": (0.2, 0.1, 0.8), "au05": (0.15, 0.1, 0.7)}),
    "brows": (0.07, {"au01": (0.5, 0.2, 1), "au02": (0.5, 0.2, 1), "au04": (0.5, 0.2, 1)}),
    "sad": (0.08, {"au01": (0.9, 0.2, 1), "au04": (0.8, 0.2, 1), "au15": (0.9, 0.2, 1), "au17": (0.5, 0.1, 0.9)}),
    "anger": (0.08, {"au04": (1, 0.3, 1), "au07": (0.7, 0.2, 1), "au23": (0.5, 0.3, 1), "au24": (0.4, 0.3, 1), "au10": (0.2, 0.2, 0.7), "au05": (0.3, 0.1, 0.7)}),
    "disgust": (0.10, {"au09": (0.6, 0.2, 1), "au10": (0.9, 0.2, 1), "au04": (0.5, 0.1, 0.7), "au07": (0.5, 0.1, 0.8), "part": (0.3, 0.1, 0.7), "au06": (0.3, 0.1, 0.6)}),
    "fear": (0.04, {"au01": (1, 0.3, 1), "au02": (0.8, 0.2, 1), "au04": (0.8, 0.2, 0.9), "au05": (0.8, 0.3, 1), "au20": (0.7, 0.2, 1), "part": (0.8, 0.2, 0.8), "au26": (0.5, 0.1, 0.6)}),
    "lips": (0.15, {"au23": (0.4, 0.3, 1), "au24": (0.45, 0.3, 1), "au15": (0.35, 0.2, 1), "au17": (0.3, 0.2, 1), "au14": (0.2, 0.2, 0.9)}),
    "squint": (0.09, {"au07": (0.85, 0.3, 1), "au06": (0.5, 0.3, 1), "au04": (0.2, 0.2, 0.8)}),
    "mouth": (0.10, {"au26": (0.6, 0.1, 1), "part": (0.5, 0.1, 1), "au18": (0.25, 0.2, 1), "au22": (0.2, 0.2, 1), "au20": (0.15, 0.2, 0.8), "au27": (0.1, 0.2, 1), "au01": (0.15, 0.1, 0.6), "au02": (0.15, 0.1, 0.6), "au12": (0.15, 0.1, 0.5)}),
    "round": (0.06, {"au18": (0.5, 0.3, 1), "au22": (0.6, 0.3, 1), "part": (0.4, 0.1, 0.7), "au26": (0.35, 0.1, 0.8)}),
    "any": (0.08, {k: (0.18, 0.15, 0.9) for k in TABLE if k not in ("au45", "au27")}),
}
_NAMES = tuple(MOODS)
_ODDS = np.array([MOODS[n][0] for n in _NAMES]) / sum(MOODS[n][0] for n in _NAMES)
# Pressed lips exclude parted lips.
_EXCLUDES = {"au23": ("part", "au26", "au27", "au22"), "au24": ("part", "au26", "au27", "au22")}


def draw(rng: np.random.Generator) -> dict[str, float]:
    """AU intensities at the apex of a random mood. About half of the AUs share one strength, the others are independent."""
    mood, effort = MOODS[_NAMES[rng.choice(len(_NAMES), p=_ODDS)]][1], rng.random()
    apex = {k: float(lo + (hi - lo) * (effort if rng.random() < 0.5 else rng.random())) for k, (p, lo, hi) in mood.items() if rng.random() < p}
    if rng.random() < 0.3:  # weak expressions are common
        faint = rng.uniform(0.15, 0.8)
        apex = {k: v * faint for k, v in apex.items()}
    for tight, others in _EXCLUDES.items():
        if tight in apex:
            apex = {k: v for k, v in apex.items() if k not in others}
    return apex


def draw_distractors(rng: np.random.Generator) -> dict[str, float]:
    """Distractors of a still: half or fully closed lids, an asymmetric mouth. Closed eyes are frequent enough that they are
    not confused with raised brows."""
    out = {}
    if rng.random() < 0.22:
        out["au45"] = float(rng.uniform(0.2, 1) if rng.random() < 0.5 else 1)
    if rng.random() < 0.10:
        out[str(rng.choice(["jawl", "jawr", "mouthl", "mouthr", "puff"]))] = float(rng.uniform(0.1, 0.7))
    return out


def sides(apex: dict[str, float], rng: np.random.Generator) -> tuple[dict[str, float], dict[str, float]]:
    """Left and right intensities with natural asymmetry; sometimes one-sided."""
    left, right = {}, {}
    for k, v in apex.items():
        skew = rng.normal(0, 0.08) if k not in ("au45",) or rng.random() > 0.1 else rng.choice([-1, 1]) * 0.9
        left[k], right[k] = v * np.clip(1 + skew, 0, 1.3), v * np.clip(1 - skew, 0, 1.3)
    return left, right


def course(length: int, fps: float, rng: np.random.Generator, calm: float = 1.2) -> dict[str, np.ndarray]:
    """AU intensities over `length` frames → {AU: (length,)}: moods with onset, apex and offset, separated by about `calm`
    seconds of rest, plus blinks and speech."""
    out = {k: np.zeros(length, np.float32) for k in TABLE}
    t = rng.exponential(calm) * fps * 0.5
    while t < length:
        onset, hold, offset = rng.uniform(0.15, 0.9), rng.gamma(2, 0.6), rng.uniform(0.25, 1.3)
        for key, peak in draw(rng).items():
            lag = rng.normal(0, 0.08)
            curve = bump(length, t / fps + lag, onset, hold, offset, fps)
            wobble = 1 + 0.06 * np.sin(2 * np.pi * (np.arange(length) / fps * rng.uniform(0.4, 2) + rng.random()))
            out[key] = np.maximum(out[key], peak * curve * wobble).astype(np.float32)
        t += (onset + hold + offset * rng.uniform(0.4, 1) + rng.exponential(calm)) * fps
    if rng.random() < 0.4:
        _speak(out, length, fps, rng)
    t = rng.exponential(2.0) * fps
    while t < length:
        out["au45"] = np.maximum(out["au45"], bump(length, t / fps, 0.08, 0.03, 0.12, fps))
        t += max(0.4, rng.exponential(3.0)) * fps
    if rng.random() < 0.4:  # closed eyes for a longer time
        for _ in range(int(rng.integers(1, 4))):
            shut = bump(length, rng.uniform(0, length / fps), rng.uniform(0.1, 0.4), rng.gamma(2, 0.8), rng.uniform(0.1, 0.4), fps)
            out["au45"] = np.maximum(out["au45"], shut)
    tight = np.maximum(out["au23"], out["au24"])
    for k in ("part", "au26", "au27", "au22"):
        out[k] *= 1 - np.clip(tight * 1.5, 0, 1)
    return {k: np.clip(v, 0, 1.1) for k, v in out.items()}


def bump(length: int, start: float, onset: float, hold: float, offset: float, fps: float) -> np.ndarray:
    """0 → 1 → 0 with smooth (smoothstep) flanks; times in seconds."""
    t = np.arange(length) / fps - start
    up = np.clip(t / onset, 0, 1)
    down = np.clip((t - onset - hold) / offset, 0, 1)
    return ((up * up * (3 - 2 * up)) * (1 - down * down * (3 - 2 * down))).astype(np.float32)


def gaze_down_curve(length: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """Downward gaze (length,), 0…1: sometimes for a second or more, as at a desk or phone."""
    down = np.zeros(length, np.float32)
    if rng.random() < 0.4:
        for _ in range(int(rng.integers(1, 4))):
            look = bump(length, rng.uniform(0, length / fps), 0.15, rng.gamma(2, 0.8), 0.15, fps)
            down = np.maximum(down, look * rng.uniform(0.4, 1))
    return down


def hand_curve(length: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """Occlusion by a hand (length,), 0…1: once or twice for a few seconds."""
    there = np.zeros(length, np.float32)
    for _ in range(int(rng.integers(1, 3))):
        stay = bump(length, rng.uniform(-1, length / fps), rng.uniform(0.2, 0.7), rng.gamma(2, 1.2), rng.uniform(0.2, 0.7), fps)
        there = np.maximum(there, stay)
    return there


def _speak(out: dict[str, np.ndarray], length: int, fps: float, rng: np.random.Generator) -> None:
    start, stop = sorted(rng.uniform(0, length, 2))
    t = start
    while t < stop:
        syllable = rng.uniform(0.10, 0.30)
        key = str(rng.choice(["au26", "part", "au18", "au22", "au20", "au24"], p=[0.3, 0.26, 0.15, 0.15, 0.06, 0.08]))
        curve = bump(length, t / fps, syllable * 0.5, syllable * 0.2, syllable * 0.5, fps)
        out[key] = np.maximum(out[key], curve * rng.uniform(0.15, 0.7)).astype(np.float32)
        t += syllable * fps * rng.uniform(0.6, 1.2)
    for _ in range(rng.poisson((stop - start) / fps / 2) if rng.random() < 0.5 else 0):  # brow raises that stress words
        when, peak = rng.uniform(start, stop) / fps, rng.uniform(0.2, 0.9)
        curve = bump(length, when, rng.uniform(0.1, 0.3), rng.uniform(0.05, 0.5), rng.uniform(0.15, 0.4), fps)
        for key in ("au01", "au02"):
            out[key] = np.maximum(out[key], curve * peak * rng.uniform(0.7, 1.1)).astype(np.float32)


def slow_noise(length: int, fps: float, scale: float, period: float, rng: np.random.Generator) -> np.ndarray:
    """Slow random noise (length,), about ±scale, for pose and gaze."""
    knots = max(4, int(length / fps / period) + 4)
    from scipy.interpolate import CubicSpline

    spline = CubicSpline(np.linspace(0, 1, knots), rng.normal(0, scale, knots))
    return spline(np.linspace(0.1, 0.9, length)).astype(np.float32)
