"""A z-buffer triangle rasteriser on the CPU (numba), without GL or a GPU."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, fastmath=True)
def normals(xyz: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Area-weighted unit vertex normals. xyz (V, 3), triangles (T, 3) → (V, 3)."""
    out = np.zeros_like(xyz)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = xyz[b, 0] - xyz[a, 0], xyz[b, 1] - xyz[a, 1], xyz[b, 2] - xyz[a, 2]
        vx, vy, vz = xyz[c, 0] - xyz[a, 0], xyz[c, 1] - xyz[a, 1], xyz[c, 2] - xyz[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for v in (a, b, c):
            out[v, 0] += nx
            out[v, 1] += ny
            out[v, 2] += nz
    for v in range(out.shape[0]):
        n = np.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2) + 1e-12
        out[v, 0] /= n
        out[v, 1] /= n
        out[v, 2] /= n
    return out


@njit(cache=True, fastmath=True)
def draw(
    screen: np.ndarray,
    triangles: np.ndarray,
    colour: np.ndarray,
    gain: np.ndarray,
    uv: np.ndarray,
    photo: np.ndarray,
    textured: np.ndarray,
    image: np.ndarray,
    depth: np.ndarray,
) -> None:
    """Renders into image (H, W, 3) float32 and depth (H, W), in place; larger z is nearer.

    screen (V, 3): x right, y down in pixels, z towards the viewer; triangles counter-clockwise seen from
    outside; colour (V, 3) and gain (V, 3) are interpolated and multiplied; where textured (V,) is set,
    the colour is the photo's (h, w, 3) at uv (V, 2) pixels instead.
    """
    height, width = depth.shape
    ph, pw = photo.shape[0], photo.shape[1]
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by, cx, cy = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1], screen[c, 0], screen[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area >= -1e-9:  # y points down: front faces turn clockwise
            continue
        x0, x1 = max(0, int(np.floor(min(ax, bx, cx)))), min(width - 1, int(np.ceil(max(ax, bx, cx))))
        y0, y1 = max(0, int(np.floor(min(ay, by, cy)))), min(height - 1, int(np.ceil(max(ay, by, cy))))
        if x0 > x1 or y0 > y1:
            continue
        inv = 1.0 / area
        isphoto = textured[a] and textured[b] and textured[c]
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                wb = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) * inv
                wc = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) * inv
                wa = 1.0 - wb - wc
                if wa < -1e-4 or wb < -1e-4 or wc < -1e-4:
                    continue
                z = wa * screen[a, 2] + wb * screen[b, 2] + wc * screen[c, 2]
                if z <= depth[y, x]:
                    continue
                depth[y, x] = z
                if isphoto:
                    u = wa * uv[a, 0] + wb * uv[b, 0] + wc * uv[c, 0]
                    v = wa * uv[a, 1] + wb * uv[b, 1] + wc * uv[c, 1]
                    u = min(max(u, 0.0), pw - 1.001)
                    v = min(max(v, 0.0), ph - 1.001)
                    iu, iv = int(u), int(v)
                    fu, fv = u - iu, v - iv
                    for k in range(3):
                        top = photo[iv, iu, k] * (1 - fu) + photo[iv, iu + 1, k] * fu
                        low = photo[iv + 1, iu, k] * (1 - fu) + photo[iv + 1, iu + 1, k] * fu
                        g = wa * gain[a, k] + wb * gain[b, k] + wc * gain[c, k]
                        image[y, x, k] = (top * (1 - fv) + low * fv) * g
                else:
                    for k in range(3):
                        image[y, x, k] = (wa * colour[a, k] + wb * colour[b, k] + wc * colour[c, k]) * (
                            wa * gain[a, k] + wb * gain[b, k] + wc * gain[c, k]
                        )
