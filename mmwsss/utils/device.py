"""The device to work on."""

from __future__ import annotations

import mmengine.device.utils
import torch
from mmengine.device import get_device

__all__ = ['usable_device', 'use_device']


def usable_device(name: str | None = None) -> torch.device:
    """The device of that name, or the best one there is; ``ValueError`` if it cannot be used."""
    try:
        device = torch.device(name or get_device())
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f'device {name!r} cannot be used here: {str(error).splitlines()[0]}'
        ) from error
    return device


def use_device(name: str, launcher: str = 'none') -> None:
    """Make a device the one that MMEngine, and so its Runner, takes in this process.

    Args:
        name: As torch names it: ``'cpu'``, ``'cuda'``, ``'cuda:1'`` ...
        launcher: What started the processes; each takes the accelerator of its rank.

    Raises:
        ValueError: The device cannot be used, or one is named for several processes.
    """
    device = usable_device(name)
    if device.index is not None:
        if launcher != 'none':
            raise ValueError(
                f'--device {name} is for one process; with --launcher each takes that of its rank'
            )
        if device.type == 'cuda':
            torch.cuda.set_device(device)
    # MMEngine looks once, when it is imported, and has no other way to say what to take.
    mmengine.device.utils.DEVICE = device.type
