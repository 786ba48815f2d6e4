"""Camera degradation of rendered crops: lens, sensor, codec."""

from __future__ import annotations

import cv2
import numpy as np


def draw_optics(rng: np.random.Generator) -> dict:
    """Random camera and lighting parameters; constant within a clip."""
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


def draw_fair_optics(rng: np.random.Generator) -> dict:
    """Parameters of a well-placed camera: sharp, well exposed, little noise."""
    return {
        "gamma": float(np.exp(rng.normal(0, 0.1))),
        "gain": float(rng.uniform(0.85, 1.15)),
        "white": np.exp(rng.normal(0, 0.03, 3)).astype(np.float32),
        "grey": 0.0,
        "size": int(rng.choice([96, 112, 144])),
        "blur": float(rng.choice([0, rng.uniform(0.3, 0.6)])),
        "motion": 0,
        "angle": 0.0,
        "noise": float(rng.uniform(0.5, 3)),
        "quality": int(rng.integers(70, 96)),
    }


def shoot(image: np.ndarray, optics: dict, rng: np.random.Generator) -> np.ndarray:
    """float32 RGB 0…255 (n, n, 3) → uint8 (n, n, 3) as delivered by a camera."""
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
