"""Weak AU intensities of real photographs from the landmark model's ARKit blendshapes and points.

These are a teacher's estimates, not ground truth: ARKit has no shape for AU23, AU6 must be inferred from smile and squint
(the model's cheekSquint is always near 0), and its browDown rises with smiles. WEIGHT is the trust per AU, below 1, which
is for exact labels.
"""

from __future__ import annotations

import numpy as np

# in the order of aus.AUS:   1    2    4    6    7   10   12   15   23   24   25   26
WEIGHT = np.array([0.6, 0.6, 0.4, 0.9, 0.3, 0.5, 0.9, 0.4, 0.0, 0.4, 0.9, 0.8], np.float32)


def intensities(names: list[str], shapes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """shapes (N, 52), points (N, 478, 2) pixels → AU intensities (N, 12), 0…1."""
    def of(name: str) -> np.ndarray:
        if name in names:
            return shapes[:, names.index(name)]
        return (shapes[:, names.index(name + "Left")] + shapes[:, names.index(name + "Right")]) / 2

    def distance(a: int, b: int) -> np.ndarray:
        return np.linalg.norm(points[:, a] - points[:, b], axis=-1)

    eyes = distance(33, 263) + 1e-6
    gap = (distance(13, 14) + distance(82, 87) + distance(312, 317)) / 3 / eyes
    smile, squint = of("mouthSmile"), of("eyeSquint")
    out = np.stack(
        [
            of("browInnerUp"),
            of("browOuterUp"),
            (of("browDown") - 0.35 - 0.35 * smile) / 0.6,
            1.1 * smile**1.5 * (0.45 + 0.55 * np.clip((squint - 0.2) / 0.5, 0, 1)),
            (squint - 0.45) / 0.5,
            of("mouthUpperUp") - 0.6 * smile,
            smile,
            of("mouthFrown"),
            np.zeros(len(shapes)),
            (of("mouthPress") - 0.2) / 0.6,
            (gap - 0.025) / 0.09,
            of("jawOpen") / 0.5,
        ],
        1,
    )
    return np.clip(out, 0, 1).astype(np.float32)
