"""``nc-run --version``: what runs here, as a bug report needs it."""

from __future__ import annotations

import platform

import nc_runner


def show_version() -> int:
    """Our version, the commit of a checkout, Python, torch, and the device that it sees."""
    import torch

    from nc_runner.record.provenance import device_name, git_state, processor_name

    git = git_state()
    commit = f" (commit {git['commit'][:7]}{', modified' if git['dirty'] else ''})" if git else ""
    has_gpu = torch.cuda.is_available()
    device = device_name(torch.device("cuda" if has_gpu else "cpu")) if has_gpu else f"cpu ({processor_name()})"
    print(f"nc-run {nc_runner.__version__}{commit}")
    print(f"Python {platform.python_version()}, torch {torch.__version__}, device {device}")
    return 0
