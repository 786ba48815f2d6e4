"""Distributed training: rank, world size and device of this process, from torchrun's environment variables."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist


def join(device: str | None = None) -> tuple[int, int, str]:
    """Joins the process group if there are several processes. Returns rank, world size and device (by default this
    process's GPU, else the CPU)."""
    rank, world, local = (int(os.environ.get(k, d)) for k, d in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0)))
    device = device or (f"cuda:{local}" if torch.cuda.is_available() else "cpu")
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return rank, world, device


def gather(own: dict, world: int) -> dict:
    """Merges the entries of all processes, on every process."""
    if world == 1:
        return own
    parts: list = [None] * world
    dist.all_gather_object(parts, own)
    return {k: v for part in parts for k, v in part.items()}
