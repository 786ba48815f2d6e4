"""What lies between a face and a decoded crop: things in front of it, lens, sensor, codec."""

from __future__ import annotations

import cv2
import numpy as np


def occlude(image: np.ndarray, marks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Now and then glasses, a fringe or head covering, a hand or a microphone. marks (68, 2) canvas pixels."""
    if rng.random() < 0.12:
        _glasses(image, marks, rng)
    if rng.random() < 0.06:
        brow = marks[17:27].mean(0)
        width = np.linalg.norm(marks[16] - marks[0])
        top = brow[1] - width * rng.uniform(0.08, 0.35)
        colour = rng.uniform(10, 220) * rng.uniform(0.4, 1, 3)
        edge = top + np.convolve(rng.normal(0, 6, image.shape[1] + 14), np.ones(15) / 15, "valid")
        mask = np.arange(image.shape[0])[:, None] < edge[None]
        grain = rng.normal(0, 10, (1, image.shape[1], 1))
        image[mask] = np.broadcast_to(colour + grain, image.shape)[mask]
    if rng.random() < 0.05:
        centre = marks[rng.choice([1, 3, 5, 8, 11, 13, 15])] + rng.normal(0, 6, 2)
        axes = rng.uniform(8, 26, 2)
        tone = image[60:90, 60:90].mean((0, 1)) * rng.uniform(0.5, 1.2) if rng.random() < 0.6 else rng.uniform(0, 200, 3)
        cv2.ellipse(image, (tuple(map(float, centre)), tuple(map(float, axes * 2)), float(rng.uniform(0, 180))), tone.tolist(), -1, cv2.LINE_AA)
    return image


def _glasses(image: np.ndarray, marks: np.ndarray, rng: np.random.Generator) -> None:
    frame = (rng.uniform(0, 130) * rng.uniform(0.5, 1, 3)).tolist()
    thick = int(rng.integers(1, 4))
    dark = rng.random() < 0.12
    centres = [marks[36:42].mean(0), marks[42:48].mean(0)]
    size = np.linalg.norm(centres[1] - centres[0]) * rng.uniform(0.34, 0.45)
    tall = size * rng.uniform(0.6, 1.0)
    for c in centres:
        c = c + [0, size * 0.12]
        box = (tuple(map(float, c)), (float(size * 2), float(tall * 2)), 0.0)
        if dark:
            cv2.ellipse(image, box, (20.0, 20.0, 22.0), -1, cv2.LINE_AA)
        elif rng.random() < 0.3:  # a reflection
            veil = image.copy()
            cv2.ellipse(veil, box, (230.0, 235.0, 240.0), -1, cv2.LINE_AA)
            image += (veil - image) * rng.uniform(0.05, 0.3)
        cv2.ellipse(image, box, frame, thick, cv2.LINE_AA)
    a, b = centres[0] + [size, 0], centres[1] - [size, 0]
    cv2.line(image, tuple(map(int, a)), tuple(map(int, b)), frame, thick, cv2.LINE_AA)


def draw_optics(rng: np.random.Generator) -> dict:
    """One camera and one hour of the day; a clip keeps it for all its frames."""
    return {
        "gamma": float(np.exp(rng.normal(0, 0.22))),
        "gain": float(rng.uniform(0.7, 1.25)),
        "white": np.exp(rng.normal(0, 0.06, 3)).astype(np.float32),
        "grey": float(rng.random() < 0.06),
        "size": int(rng.choice([36, 48, 64, 80, 96, 112, 144], p=[0.03, 0.06, 0.12, 0.15, 0.2, 0.2, 0.24])),
        "blur": float(rng.choice([0, rng.uniform(0.3, 1.3)])),
        "motion": int(rng.choice([0, 0, 0, 0, rng.integers(3, 7)])),
        "angle": float(rng.uniform(0, 180)),
        "noise": float(rng.choice([0.5, rng.uniform(1, 9)])),
        "quality": int(rng.integers(28, 96)),
    }


def shoot(image: np.ndarray, optics: dict, rng: np.random.Generator) -> np.ndarray:
    """float32 RGB 0…255 (n, n, 3) → uint8 as a camera would have delivered it."""
    n = image.shape[0]
    image = np.clip(image, 0, 255) / 255
    image = optics["gain"] * image ** optics["gamma"] * optics["white"]
    if optics["grey"]:
        image = np.repeat(image.mean(2, keepdims=True), 3, 2)
    image = np.clip(image * 255, 0, 255).astype(np.float32)
    if optics["motion"]:
        k = np.zeros((optics["motion"],) * 2, np.float32)
        k[optics["motion"] // 2] = 1
        c = (optics["motion"] - 1) / 2
        k = cv2.warpAffine(k, cv2.getRotationMatrix2D((c, c), optics["angle"], 1), k.shape)
        image = cv2.filter2D(image, -1, k / max(k.sum(), 1e-3))
    if optics["blur"]:
        image = cv2.GaussianBlur(image, (0, 0), optics["blur"])
    size = optics["size"] * n // 144
    if size < n:
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    noise = rng.standard_normal(image.shape[:2] + (3,), np.float32)
    image = image + optics["noise"] * (0.6 * noise[..., :1] + 0.4 * noise)
    image = np.clip(image, 0, 255).astype(np.uint8)
    _, code = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, optics["quality"]])
    image = cv2.imdecode(code, cv2.IMREAD_COLOR)[..., ::-1]
    return cv2.resize(image, (n, n), interpolation=cv2.INTER_LINEAR) if size < n else image
