"""Batch norm folded into the convolution before it, for inference."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import fuse_conv_bn_eval

__all__ = ['fold_batch_norm']

EXAMPLE_SIDE = 65  # pixels; enough for every stride, and not a multiple of any


@torch.no_grad()
def fold_batch_norm(
    network: nn.Module, forward: Callable[[nn.Module, Tensor], Any] | None = None
) -> nn.Module:
    """Fold each batch norm that follows a convolution directly into its weights.

    Which ones do is seen by running the network on an example. The same outputs to rounding (1e-5 of the
    largest), or the network comes back as it was.

    Args:
        network: Takes images (N, 3, H, W), or whatever ``forward`` makes of them; in evaluation mode.
        forward: Calls the network on images; its outputs are a tensor or a sequence of tensors.

    Returns:
        A copy without the folded layers (``nn.Identity`` instead), whose weights need no gradient; or
        ``network`` itself.
    """
    if not any(isinstance(module, _BatchNorm) for module in network.modules()):
        return network
    call = forward or (lambda module, images: module(images))
    example = torch.rand(
        1, 3, EXAMPLE_SIDE, EXAMPLE_SIDE, generator=torch.Generator().manual_seed(0)
    )
    example = example.to(next(network.parameters())) - 0.5  # device and type
    folded = copy.deepcopy(network).requires_grad_(False)
    try:
        expected = _tensors(call(network, example))
        for conv, norm in _pairs(folded, lambda: call(folded, example)):
            _replace(folded, conv, fuse_conv_bn_eval(conv, norm))
            _replace(folded, norm, nn.Identity())
        outputs = _tensors(call(folded, example))
    except RuntimeError:  # a network that does not take such a small image
        return network
    same = all(
        torch.allclose(a, b, rtol=0, atol=1e-5 * float(a.abs().max()))
        for a, b in zip(expected, outputs)
    )
    return folded if same else network


def _pairs(network: nn.Module, run: Callable[[], Any]) -> list[tuple[nn.Conv2d, _BatchNorm]]:
    """Convolutions whose output the next module, a batch norm, takes; each is called once."""
    calls: list[tuple[nn.Module, Any, Any]] = []
    layers = [m for m in network.modules() if not next(m.children(), None)]
    hooks = [
        layer.register_forward_hook(lambda m, inputs, output: calls.append((m, inputs, output)))
        for layer in layers
    ]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    counts = [module for module, _, _ in calls]
    return [
        (conv, norm)
        for (conv, _, output), (norm, inputs, _) in zip(calls, calls[1:])
        if isinstance(conv, nn.Conv2d)
        and isinstance(norm, _BatchNorm)
        and inputs[0] is output
        and counts.count(conv) == counts.count(norm) == 1
        and not (conv._forward_hooks or norm._forward_hooks)  # somebody else listens there
    ]


def _replace(network: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for parent in network.modules():
        for name, child in parent.named_children():
            if child is old:
                setattr(parent, name, new)


def _tensors(outputs: Any) -> list[Tensor]:
    return [outputs] if isinstance(outputs, Tensor) else list(outputs)
