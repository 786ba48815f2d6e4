"""Portrait photographs: landmarks and blendshapes of a landmark model, and ICT-FaceKit heads fitted to them.

The landmark model (MediaPipe's face_landmarker.task) is a teacher here and not a part of the product.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from . import head
from .facekit import FaceKit

# The points of MediaPipe's 478 that correspond to the 68-point scheme.
IBUG = np.array(
    [162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389]
    + [71, 63, 105, 66, 107, 336, 296, 334, 293, 301, 168, 197, 5, 4, 75, 97, 2, 326, 305]
    + [33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380]
    + [61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87]
)
# Points with a well-defined position on the skin: the photo is warped to match the mesh exactly there.
_ANCHORS = np.r_[27:36, 36:48, 48:68]


def annotate(files: list[Path], model: Path) -> dict[str, np.ndarray]:
    """Runs the landmark model: `found` (N,), `points` (N, 478, 2) pixels, `shapes` (N, 52), `names` (52,)."""
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)), output_face_blendshapes=True, num_faces=1
    )
    found, points, shapes, names = [], [], [], None
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for file in files:
            # decoded here, because the landmark model rejects greyscale files
            image = mp.Image(image_format=mp.ImageFormat.SRGB, data=read(file).astype(np.uint8))
            r = landmarker.detect(image)
            found.append(bool(r.face_landmarks))
            if not r.face_landmarks:
                points.append(np.zeros((478, 2)))
                shapes.append(np.zeros(52))
                continue
            size = np.array([image.width, image.height])
            points.append(np.array([(p.x, p.y) for p in r.face_landmarks[0]]) * size)
            shapes.append(np.array([c.score for c in r.face_blendshapes[0]]))
            names = [c.category_name for c in r.face_blendshapes[0]]
    return {
        "files": np.array([f.name for f in files]),
        "found": np.array(found),
        "points": np.array(points, np.float32),
        "shapes": np.array(shapes, np.float32),
        "names": np.array(names),
    }


def eye_distance(points: np.ndarray) -> np.ndarray:
    """Distance between the eye centres in pixels (N,), from points (N, 478, 2)."""
    eyes = np.stack([head.keypoints(p[IBUG])[:2] for p in points])
    return np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=-1)


def kit_weights(kit: FaceKit, names: list[str], shapes: np.ndarray) -> np.ndarray:
    """ARKit scores (52,) → the kit's shape weights (E,). ARKit's left is the subject's left, as the kit's."""
    score = dict(zip(names, shapes))
    out = np.zeros(len(kit.names), np.float32)
    for i, name in enumerate(kit.names):
        base = name.replace("_L", "Left").replace("_R", "Right")
        out[i] = score.get(base, score.get(name[:-2] if name[-2] == "_" else name, 0.0))
    return out


def fit(
    kit: FaceKit, points: np.ndarray, prior: np.ndarray, bias: np.ndarray | None = None, rounds: int = 6
) -> dict[str, np.ndarray]:
    """Fits identity, expression and a scaled-orthographic pose to 478 points (pixels, y down).

    `prior` (E,): the teacher's shape weights, which regularise the expression. Returns identity (100,),
    expression (E,), rotation (3, 3), scale, offset (2,), `error`, the mean residual in centimetres, and
    `residual` (68, 2), centimetres. `bias` (68, 3): the systematic difference of the two models' landmarks, which is the
    mean residual of a first pass over many people.
    """
    target = points[IBUG].astype(np.float64) * [1, -1]
    lm = kit.landmarks
    base = kit.neutral[lm].astype(np.float64) + (0 if bias is None else bias)
    ident = kit.identity[:, lm].reshape(len(kit.identity), -1).astype(np.float64)
    expr = kit.expression[:, lm].reshape(len(kit.names), -1).astype(np.float64)
    weight = np.ones(68)
    weight[:17], weight[17:27] = 0.15, 0.4
    alpha, beta = np.zeros(len(ident)), prior.astype(np.float64).copy()
    usable = np.array([not n.startswith(("Pupil", "eyeLook", "cheekPuff")) for n in kit.names], float)
    for _ in range(rounds):
        shape = (base.reshape(-1) + alpha @ ident + beta @ expr).reshape(68, 3)
        rotation, scale, offset = _pose(shape, target, weight)
        project = scale * rotation[:2]  # (2, 3)
        rows = np.sqrt(weight)[:, None]

        def seen(basis: np.ndarray) -> np.ndarray:
            return (np.einsum("ij,knj->kni", project, basis.reshape(len(basis), 68, 3)) * rows / scale).reshape(
                len(basis), -1
            )

        a, e = seen(ident), seen(expr) * usable[:, None]
        rest = ((target - offset - base @ project.T) * rows / scale).reshape(-1)
        # centimetres: 0.1 of landmark noise; identity ~ N(0, 1), expression ~ N(teacher, 0.2)
        system = np.concatenate([a, e]).T / 0.1
        right = np.concatenate([rest / 0.1, np.zeros(len(a)), prior / 0.2])
        ridge = np.diag(np.r_[np.ones(len(a)), np.full(len(e), 5.0)])
        solution = np.linalg.lstsq(np.vstack([system, ridge]), right, rcond=None)[0]
        alpha, beta = np.clip(solution[: len(a)], -2.5, 2.5), np.clip(solution[len(a) :], 0, 1)
    shape = (base.reshape(-1) + alpha @ ident + beta @ expr).reshape(68, 3)
    rotation, scale, offset = _pose(shape, target, weight)
    residual = (target - offset - shape @ (scale * rotation[:2]).T) / scale
    return {
        "identity": alpha.astype(np.float32),
        "expression": beta.astype(np.float32),
        "rotation": rotation.astype(np.float32),
        "scale": np.float32(scale),
        "offset": offset.astype(np.float32),
        "residual": residual.astype(np.float32),
        "error": np.float32(np.linalg.norm(residual[17:], axis=1).mean()),
    }


def _pose(shape: np.ndarray, target: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Weighted scaled-orthographic pose by orthonormalising the affine least-squares camera."""
    w = weight / weight.sum()
    cs, ct = w @ shape, w @ target
    affine = np.linalg.lstsq((shape - cs) * np.sqrt(w)[:, None], (target - ct) * np.sqrt(w)[:, None], rcond=None)[0].T
    scale = np.mean(np.linalg.norm(affine, axis=1))
    u, _, vt = np.linalg.svd(affine, full_matrices=False)
    two = u @ vt
    rotation = np.vstack([two, np.cross(two[0], two[1])])
    return rotation, float(scale), ct - scale * rotation[:2] @ cs


def texture_coordinates(kit: FaceKit, fitted: dict[str, np.ndarray], points: np.ndarray) -> np.ndarray:
    """Texture coordinates of the fitted head's vertices in its photo, (V, 2) pixels: the projection, then a smooth warp
    that moves eyes, nose and lips exactly to their landmarks."""
    xyz = kit.neutral + np.tensordot(fitted["identity"], kit.identity, 1) + np.tensordot(
        fitted["expression"], kit.expression, 1
    )
    uv = (xyz @ (fitted["scale"] * fitted["rotation"][:2]).T + fitted["offset"]) * [1, -1]
    anchors = uv[kit.landmarks[_ANCHORS]]
    pull = points[IBUG][_ANCHORS] - anchors
    sigma = 0.9 * fitted["scale"]  # pixels: a little under a centimetre
    kernel = np.exp(-((anchors[:, None] - anchors[None]) ** 2).sum(-1) / (2 * sigma**2))
    solution = np.linalg.solve(kernel + 0.05 * np.eye(len(anchors)), pull)
    far = np.exp(-((uv[:, None] - anchors[None]) ** 2).sum(-1) / (2 * sigma**2))
    return (uv + far @ solution).astype(np.float32)


def euler(rotation: np.ndarray) -> np.ndarray:
    """(pitch, yaw, roll) in degrees."""
    return Rotation.from_matrix(rotation).as_euler("xyz", degrees=True)


def read(file: Path) -> np.ndarray:
    """RGB float32 (h, w, 3), 0…255."""
    return cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB).astype(np.float32)
