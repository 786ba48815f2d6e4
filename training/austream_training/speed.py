"""Times PyTorch (eager) on the product's models with the same formula weights, for comparison by bench/model.ts.

    python -m austream_training.speed PRESET THREADS

For each line "frame N" or "window N" on standard input it runs the frame encoder on N crops, or the window encoders on N
windows, and prints wall-clock and CPU milliseconds. The caller alternates runs of both sides, so that they see the same
machine load.
"""

from __future__ import annotations

import sys
import time

import torch

from .golden import crops, fill, members, normalise, uniform


@torch.inference_mode()
def main(preset: str, threads: int) -> None:
    torch.set_num_threads(threads)
    parts = members(preset)
    for prefix, part in parts.items():
        fill(part, prefix)
    vivit, nguyen = parts["vivit."], parts["nguyen."]
    dim, width = vivit.embed.out_features, nguyen.branch2[0].in_features

    def frame(pixels: torch.Tensor) -> torch.Tensor:
        x = normalise(pixels)
        backbone = lambda of: parts[of](x).flatten(2).transpose(1, 2)  # noqa: E731
        if "backbone." in parts:
            f = g = backbone("backbone.")
        else:
            f, g = backbone("vivit.backbone."), backbone("nguyen.backbone.")
        return torch.cat([vivit.encode(f), g.mean(1)], 1)

    def window(x: torch.Tensor) -> torch.Tensor:
        return (torch.sigmoid(vivit.score(x[..., :dim])) + torch.sigmoid(nguyen.score(x[..., dim:])[0])) / 2

    print(f"ready {torch.__version__}", flush=True)
    for line in sys.stdin:
        kind, n = line.split()
        shape = (int(n), 256, dim + width)
        x = crops("crops", int(n)) if kind == "frame" else torch.from_numpy(uniform("window", shape[0] * 256 * shape[2])).float().view(shape)
        wall, cpu = time.perf_counter(), time.process_time()
        (frame if kind == "frame" else window)(x)
        print((time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
