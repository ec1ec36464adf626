"""A slow DINOv2 by the names of its published files, in float64: no torch layer, no mmseg."""

from __future__ import annotations

import math

import numpy as np


def cubic(t: float, a: float) -> float:
    """Keys's kernel."""
    t = abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0


def weights_with_offset(old: int, new: int) -> np.ndarray:
    """(new, old): bicubic to ``new + 0.1`` cells, of which there are ``new``; borders repeated."""
    out = np.zeros((new, old))
    for i in range(new):
        centre = (i + 0.5) * old / (new + 0.1) - 0.5
        for j in range(math.floor(centre) - 1, math.floor(centre) + 3):
            out[i, min(max(j, 0), old - 1)] += cubic(centre - j, -0.75)
    return out


def weights_antialiased(old: int, new: int) -> np.ndarray:
    """(new, old): bicubic, the kernel widened where the grid shrinks, borders cut off."""
    out = np.zeros((new, old))
    step = old / new
    width = max(step, 1.0)
    for i in range(new):
        centre = (i + 0.5) * step
        for j in range(old):
            out[i, j] = cubic((j + 0.5 - centre) / width, -0.5)
    return out / out.sum(axis=1, keepdims=True)


def positions(table: np.ndarray, grid: tuple[int, int], antialias: bool) -> np.ndarray:
    """(1 + M M, C) -> (1 + h w, C)."""
    side = math.isqrt(len(table) - 1)
    if grid == (side, side):
        return table
    weights = weights_antialiased if antialias else weights_with_offset
    rows, columns = weights(side, grid[0]), weights(side, grid[1])
    patches = table[1:].reshape(side, side, -1)
    resized = [
        sum(rows[y, a] * columns[x, b] * patches[a, b] for a in range(side) for b in range(side))
        for y in range(grid[0])
        for x in range(grid[1])
    ]
    return np.concatenate([table[:1], np.array(resized)])


def norm(x: np.ndarray, state: dict, name: str) -> np.ndarray:
    mean = x.mean(axis=1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-6) * state[f'{name}.weight'] + state[f'{name}.bias']


def linear(x: np.ndarray, state: dict, name: str) -> np.ndarray:
    return x @ state[f'{name}.weight'].T + state[f'{name}.bias']


def attention(x: np.ndarray, state: dict, name: str, heads: int) -> np.ndarray:
    q, k, v = np.split(linear(x, state, f'{name}.qkv'), 3, axis=1)
    size, mixed = x.shape[1] // heads, []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        scores = np.exp(q[:, part] @ k[:, part].T / math.sqrt(size))
        mixed.append(scores / scores.sum(axis=1, keepdims=True) @ v[:, part])
    return linear(np.concatenate(mixed, axis=1), state, f'{name}.proj')


def dinov2(state: dict, image: np.ndarray, patch: int, heads: int) -> list[np.ndarray]:
    """Normalised patch tokens (C, h, w) behind each block.

    Args:
        state: Weights, float64, by the published names, not in chunks.
        image: (3, H, W), sides multiples of ``patch``.
    """
    grid = tuple(side // patch for side in image.shape[1:])
    weight = state['patch_embed.proj.weight'].reshape(len(state['patch_embed.proj.bias']), -1)
    rows = [state['cls_token'][0, 0]]
    for y in range(0, image.shape[1], patch):
        for x in range(0, image.shape[2], patch):
            pixels = image[:, y : y + patch, x : x + patch].reshape(-1)
            rows.append(weight @ pixels + state['patch_embed.proj.bias'])
    registers = state.get('register_tokens', np.zeros((1, 0, len(rows[0]))))[0]
    tokens = np.array(rows) + positions(state['pos_embed'][0], grid, len(registers) > 0)
    tokens = np.concatenate([tokens[:1], registers, tokens[1:]])
    outputs = []
    while f'blocks.{len(outputs)}.norm1.weight' in state:
        block = f'blocks.{len(outputs)}'
        mixed = attention(norm(tokens, state, f'{block}.norm1'), state, f'{block}.attn', heads)
        tokens = tokens + state[f'{block}.ls1.gamma'] * mixed
        hidden = linear(norm(tokens, state, f'{block}.norm2'), state, f'{block}.mlp.fc1')
        gelu = np.array([[h * (1 + math.erf(h / math.sqrt(2))) / 2 for h in row] for row in hidden])
        tokens = tokens + state[f'{block}.ls2.gamma'] * linear(gelu, state, f'{block}.mlp.fc2')
        patches = norm(tokens, state, 'norm')[1 + len(registers) :]
        outputs.append(patches.T.reshape(-1, *grid))
    return outputs
