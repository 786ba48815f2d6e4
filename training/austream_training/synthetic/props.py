"""Occlusions of a face: glasses, a fringe or head covering, a microphone, a hand. They are constant within a clip, apart
from the hand."""

from __future__ import annotations

import cv2
import numpy as np

_SPOTS = (1, 3, 5, 8, 11, 13, 15)
_TOUCHED = (2, 4, 6, 10, 12, 14, 30, 48, 51, 54, 57, 8, 41, 46, 19, 24)  # cheeks, nose, mouth, chin, sometimes eyes


def draw(rng: np.random.Generator, hand: float = 0.07) -> dict[str, dict]:
    """Random props of one person; `hand`: probability of a hand."""
    out = draw_glasses(rng, dark=0.12, veil=0.3)
    if rng.random() < 0.06:
        out["fringe"] = {
            "height": rng.uniform(0.08, 0.35),
            "colour": rng.uniform(10, 220) * rng.uniform(0.4, 1, 3),
            "edge": np.convolve(rng.normal(0, 6, 512 + 14), np.ones(15) / 15, "valid"),
            "grain": rng.normal(0, 10, (1, 512, 1)),
        }
    if rng.random() < 0.05:
        out["thing"] = {
            "spot": int(rng.choice(_SPOTS)),
            "shift": rng.normal(0, 6, 2),
            "axes": rng.uniform(8, 26, 2),
            "angle": rng.uniform(0, 180),
            "skin": rng.uniform(0.5, 1.2) if rng.random() < 0.6 else 0.0,
            "colour": rng.uniform(0, 200, 3),
        }
    if rng.random() < hand:
        out["hand"] = {
            "spot": int(rng.choice(_TOUCHED)),
            "shift": rng.normal(0, 5, 2),
            "angle": np.radians(rng.normal(90, 50)),  # direction it comes from; 90° is from below
            "fingers": rng.uniform(0.6, 1.1, int(rng.integers(1, 5))),
            "width": rng.uniform(9, 15),
            "fan": rng.uniform(-0.12, 0.25),
            "tone": rng.uniform(0.75, 1.15) * np.exp(rng.normal(0, 0.04, 3)),
            "length": rng.uniform(26, 44),
            "there": 1.0,
        }
    return out


def draw_glasses(rng: np.random.Generator, dark: float = 0.0, veil: float = 0.0) -> dict[str, dict]:
    """Random glasses. `dark`, `veil`: probability of dark lenses and of reflections."""
    if rng.random() >= 0.12:
        return {}
    glasses = {
        "frame": rng.uniform(0, 130) * rng.uniform(0.5, 1, 3),
        "thick": int(rng.integers(1, 4)),
        "dark": rng.random() < dark,
        "size": rng.uniform(0.34, 0.45),
        "tall": rng.uniform(0.6, 1.0),
        "veil": rng.uniform(0.05, 0.3) if rng.random() < veil else 0.0,
    }
    return {"glasses": glasses}


def place(image: np.ndarray, marks: np.ndarray, props: dict[str, dict]) -> np.ndarray:
    """Draws `props` onto image (n, n, 3) float32, in place; marks (68, 2) are in its pixels. Returns the occlusion mask
    (n, n), boolean; frames and reflections of glasses do not count as occlusion."""
    tone, seen = _tone(image, marks), image.copy()
    if "glasses" in props:
        _glasses(image, marks, props["glasses"])
        seen = seen if props["glasses"]["dark"] else image.copy()
    if "fringe" in props:
        p, n = props["fringe"], image.shape[1]
        top = marks[17:27, 1].mean() - np.linalg.norm(marks[16] - marks[0]) * p["height"]
        mask = np.arange(image.shape[0])[:, None] < top + p["edge"][None, :n]
        image[mask] = np.broadcast_to(p["colour"] + p["grain"][:, :n], image.shape)[mask]
    if "thing" in props:
        p = props["thing"]
        box = (tuple(map(float, marks[p["spot"]] + p["shift"])), tuple(map(float, p["axes"] * 2)), float(p["angle"]))
        colour = tone * p["skin"] if p["skin"] else p["colour"]
        cv2.ellipse(image, box, colour.tolist(), -1, cv2.LINE_AA)
    if "hand" in props and props["hand"]["there"] > 0.02:
        _hand(image, marks, props["hand"], tone)
    return (image != seen).any(2)


def _tone(image: np.ndarray, marks: np.ndarray) -> np.ndarray:
    x, y = np.clip(marks[[30, 48, 54]].mean(0).astype(int), 4, len(image) - 5)
    return image[y - 4 : y + 5, x - 4 : x + 5].mean((0, 1))


def _hand(image: np.ndarray, marks: np.ndarray, p: dict, skin: np.ndarray) -> None:
    """Draws fingers side by side with their tips near a point of the face, and the back of the hand behind them."""
    come = np.array([np.cos(p["angle"]), np.sin(p["angle"])])
    across = np.array([-come[1], come[0]])
    tip = marks[p["spot"]] + p["shift"] + come * (1 - p["there"]) * 100
    colour, n = skin * p["tone"], len(p["fingers"])
    root = tip + come * p["length"]
    layer = image.copy()
    for k, size in enumerate(p["fingers"]):
        off = (k - (n - 1) / 2) * p["width"]
        a = tip + across * off * (1 + p["fan"] * 2) + come * (1 - size) * p["length"]
        b = root + across * off
        shade = 0.92 + 0.08 * np.cos(k * 2.3 + p["length"])
        for width, light in ((p["width"] + 1, 0.62), (p["width"] - 2, 1.0), (p["width"] * 0.45, 1.06)):
            _capsule(layer, a, b, width, colour * shade * light)
    back = root + come * p["length"] * 0.55
    _capsule(layer, back - across * (n - 1) * p["width"] / 3, back + across * (n - 1) * p["width"] / 3, p["length"] * 1.15, colour * 0.95)
    drawn = (layer != image).any(2).astype(np.float32)
    image += (layer - image) * cv2.GaussianBlur(drawn, (0, 0), 0.7)[..., None]


def _capsule(image: np.ndarray, a: np.ndarray, b: np.ndarray, width: float, colour: np.ndarray) -> None:
    ends = [tuple(int(v) for v in np.round(end * 16)) for end in (a, b)]
    cv2.line(image, ends[0], ends[1], colour.tolist(), max(1, int(round(width))), cv2.LINE_AA, 4)


def _glasses(image: np.ndarray, marks: np.ndarray, p: dict) -> None:
    frame = p["frame"].tolist()
    centres = [marks[36:42].mean(0), marks[42:48].mean(0)]
    size = np.linalg.norm(centres[1] - centres[0]) * p["size"]
    for c in centres:
        box = (tuple(map(float, c + [0, size * 0.12])), (float(size * 2), float(size * p["tall"] * 2)), 0.0)
        if p["dark"]:
            cv2.ellipse(image, box, (20.0, 20.0, 22.0), -1, cv2.LINE_AA)
        elif p["veil"]:  # a reflection
            veil = image.copy()
            cv2.ellipse(veil, box, (230.0, 235.0, 240.0), -1, cv2.LINE_AA)
            image += (veil - image) * p["veil"]
        cv2.ellipse(image, box, frame, p["thick"], cv2.LINE_AA)
    a, b = centres[0] + [size, 0], centres[1] - [size, 0]
    cv2.line(image, tuple(map(int, a)), tuple(map(int, b)), frame, p["thick"], cv2.LINE_AA)
