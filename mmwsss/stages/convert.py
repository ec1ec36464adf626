"""From one file of weights to another: what the tools in ``tools/model_converters`` run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmwsss.io.atomic import atomic_path
from mmwsss.models.convert.names import unwrap_state_dict
from mmwsss.utils.checkpoint import UntrustedCheckpointError, load_checkpoint_file

__all__ = ['convert_file']

# Takes the weights of a file and its meta dict, returns what the new file shall hold.
Conversion = Callable[[dict[str, Tensor], dict[str, Any]], dict[str, Any]]


def convert_file(
    source: str | os.PathLike[str], target: str | os.PathLike[str], conversion: Conversion
) -> int:
    """Read weights from a checkpoint of tensors and plain data, convert them and write them.

    Args:
        source: The checkpoint.
        target: The file to write, whole or not at all.
        conversion: From the source's weights and ``meta`` to the target's content.

    Returns:
        Exit code: 0, or 2 after a message if the source cannot be read or does not fit, or the target cannot
        be written.
    """
    if Path(target).is_dir():
        print(f'error: the file to write is a folder: {target}', file=sys.stderr)
        return 2
    try:
        loaded = load_checkpoint_file(source)
        meta = loaded.get('meta') if isinstance(loaded, dict) else None
        content = conversion(unwrap_state_dict(loaded), meta if isinstance(meta, dict) else {})
    except UntrustedCheckpointError:
        print(
            f'error: {source} holds more than tensors and plain data; this tool reads nothing else',
            file=sys.stderr,
        )
        return 2
    except (ValueError, FileNotFoundError) as error:
        print(f'error: {source}: {error}', file=sys.stderr)
        return 2
    try:  # of a name, torch would need a suffix
        with atomic_path(target) as temporary, temporary.open('wb') as file:
            torch.save(content, file)
    except OSError as error:
        print(f'error: {target} cannot be written: {error}', file=sys.stderr)
        return 2
    print(f'{target}: {len(unwrap_state_dict(content))} weights written')
    return 0
