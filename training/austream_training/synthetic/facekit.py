"""ICT-FaceKit (MIT): one head topology, identity and expression shapes as vertex offsets.

Reads the upstream `FaceXModel` folder (OBJ files) and caches it in one compact file, because parsing 155 OBJ files takes
a minute.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# OBJ materials that are rendered → part number for shading. Lashes are omitted, because upstream does not ship their
# transparency map, and so are the eyes' fluid and occlusion meshes.
PARTS = {
    "M_Face": 0,
    "M_BackHead": 0,
    "M_GumsTongue": 1,
    "M_Teeth": 2,
    "M_ScleraLeft": 3,
    "M_IrisLeft": 3,
    "M_ScleraRight": 3,
    "M_IrisRight": 3,
}
SKIN, GUMS, TEETH, EYE = range(4)
FACE_VERTICES = 9409  # vertices 0..9408 are the face region (upstream's README)
IDENTITIES = 100


@dataclass(frozen=True)
class FaceKit:
    neutral: np.ndarray  # (V, 3) float32, centimetres, +y up, +z out of the face
    identity: np.ndarray  # (100, V, 3) float32 offsets
    expression: np.ndarray  # (E, V, 3) float32 offsets
    names: tuple[str, ...]  # (E,) expression names, ARKit-like with _L/_R
    triangles: np.ndarray  # (T, 3) int32, counter-clockwise seen from outside
    part: np.ndarray  # (V,) uint8, index of PARTS
    uv: np.ndarray  # (V, 2) float32, one UV per vertex
    landmarks: np.ndarray  # (68,) int64, iBUG order

    def index(self, name: str) -> int:
        return self.names.index(name)


def load(folder: str | Path, cache: str | Path | None = None) -> FaceKit:
    """Loads upstream's FaceXModel `folder`. Raises FileNotFoundError for any other folder."""
    folder = Path(folder)
    if not (folder / "generic_neutral_mesh.obj").is_file():
        raise FileNotFoundError(f"{folder} is not ICT-FaceKit's FaceXModel folder (generic_neutral_mesh.obj is missing)")
    cache = Path(cache) if cache else folder.parent / "facekit.npz"
    if not cache.is_file():
        _write_cache(folder, cache)
    with np.load(cache) as z:
        return FaceKit(
            neutral=z["neutral"],
            identity=z["identity"].astype(np.float32),
            expression=z["expression"].astype(np.float32),
            names=tuple(str(n) for n in z["names"]),
            triangles=z["triangles"],
            part=z["part"],
            uv=z["uv"],
            landmarks=z["landmarks"],
        )


def _write_cache(folder: Path, cache: Path) -> None:
    neutral, uv, triangles, part = _read_mesh(folder / "generic_neutral_mesh.obj")
    names = sorted(p.stem for p in folder.glob("*.obj") if not p.stem.startswith(("identity", "generic")))
    identity = np.stack([_vertices(folder / f"identity{i:03d}.obj") - neutral for i in range(IDENTITIES)])
    expression = np.stack([_vertices(folder / f"{n}.obj") - neutral for n in names])
    landmarks = json.loads((folder / "vertex_indices.json").read_text())["idx_to_landmark_verts"]
    # float16 offsets halve the memory; the error is below 1e-3 cm on a 25 cm head.
    np.savez(
        cache,
        neutral=neutral,
        identity=identity.astype(np.float16),
        expression=expression.astype(np.float16),
        names=np.array(names),
        triangles=triangles,
        part=part,
        uv=uv,
        landmarks=np.array(landmarks),
    )


def _vertices(path: Path) -> np.ndarray:
    rows = [line[2:] for line in path.read_text().splitlines() if line.startswith("v ")]
    return np.fromstring(" ".join(rows), sep=" ", dtype=np.float32).reshape(-1, 3)


def _read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    vertices = _vertices(path)
    coords, triangles = [], []
    uv = np.zeros((len(vertices), 2), np.float32)
    part = np.full(len(vertices), 255, np.uint8)
    material: int | None = None
    for line in path.read_text().splitlines():
        if line.startswith("vt "):
            coords.append([float(x) for x in line.split()[1:3]])
        elif line.startswith("usemtl "):
            material = PARTS.get(line.split()[1])
        elif line.startswith("f ") and material is not None:
            corners = [tuple(int(x) - 1 for x in c.split("/")[:2]) for c in line.split()[1:]]
            for v, t in corners:
                uv[v], part[v] = coords[t], material
            ids = [v for v, _ in corners]
            triangles += [(ids[0], ids[k], ids[k + 1]) for k in range(1, len(ids) - 1)]
    return vertices, uv, np.array(triangles, np.int32), part
