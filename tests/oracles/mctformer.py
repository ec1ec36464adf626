"""Slow loops of MCTformer+'s formulas and of DeiT, in plain Python floats."""

from __future__ import annotations

import math

import numpy as np


def pooling_loop(logits: np.ndarray, decay: float, inside: np.ndarray) -> np.ndarray:
    """(K, h, w), (h, w) -> (K,)."""
    out = []
    for one in logits:
        values = [float(one[p]) for p in np.ndindex(inside.shape) if inside[p]]
        values = sorted(values, reverse=True)
        total = sum(decay**j for j in range(len(values)))
        out.append(sum(decay**j * v for j, v in enumerate(values)) / total if values else 0.0)
    return np.array(out)


def soft_margin_loop(logits: np.ndarray, labels: np.ndarray) -> float:
    """(N, K) twice."""
    total = 0.0
    for place in np.ndindex(logits.shape):
        p = 1 / (1 + math.exp(-float(logits[place])))
        total -= math.log(p if labels[place] else 1 - p)
    return total / logits.size


def contrast_loop(tokens: np.ndarray, labels: np.ndarray) -> float:
    """(N, layers, K, C), (N, K)."""
    layers, classes = tokens.shape[1:3]
    per_image = []
    for image, label in zip(tokens, labels):
        present = [k for k in range(classes) if label[k]]
        losses = []
        for layer in image:
            for k in present:
                cosines = []
                for other in range(classes):
                    dot = sum(float(a) * float(b) for a, b in zip(layer[k], layer[other]))
                    lengths = [math.sqrt(sum(float(v) ** 2 for v in layer[i])) for i in (k, other)]
                    cosines.append(dot / (lengths[0] * lengths[1]))
                losses.append(math.log(sum(math.exp(c) for c in cosines)) - cosines[k])
        per_image.append(sum(losses) / (layers * len(present)) if present else 0.0)
    return sum(per_image) / len(per_image)


def refine_loop(logits: np.ndarray, to_patches: np.ndarray, between: np.ndarray) -> np.ndarray:
    """(K, h, w), (K, h, w), (h w, h w) -> (K, h, w)."""
    out = np.zeros(logits.shape)
    places = list(np.ndindex(logits.shape[1:]))
    for k in range(len(logits)):
        for i, here in enumerate(places):
            for j, there in enumerate(places):
                there = (k, *there)
                raw = float(to_patches[there]) * max(float(logits[there]), 0.0)
                out[(k, *here)] += float(between[i, j]) * math.sqrt(raw)
    return out


def norm(x: np.ndarray, state: dict, name: str) -> np.ndarray:
    rows = []
    for row in x:
        mean = sum(row) / len(row)
        variance = sum((v - mean) ** 2 for v in row) / len(row)
        rows.append([(v - mean) / math.sqrt(variance + 1e-6) for v in row])
    return np.array(rows) * state[f'{name}.weight'] + state[f'{name}.bias']


def linear(x: np.ndarray, state: dict, name: str) -> np.ndarray:
    return x @ state[f'{name}.weight'].T + state[f'{name}.bias']


def deit(state: dict, image: np.ndarray, classes: int, patch: int, heads: int):
    """DeiT by its published names, its class token put there once for each class.

    Args:
        state: Weights, float64; positions fit the image.
        image: (3, H, W).

    Returns:
        Tokens behind each block, (K + L, C), and its attention, mean over heads.
    """
    weight = state['patch_embed.proj.weight'].reshape(len(state['patch_embed.proj.bias']), -1)
    positions = state['pos_embed'][0]
    rows = [state['cls_token'][0, 0] + positions[0] for _ in range(classes)]
    for y in range(0, image.shape[1], patch):
        for x in range(0, image.shape[2], patch):
            pixels = image[:, y : y + patch, x : x + patch].reshape(-1)
            place = positions[1 + len(rows) - classes]
            rows.append(weight @ pixels + state['patch_embed.proj.bias'] + place)
    x = np.array(rows)
    tokens, attentions = [], []
    while f'blocks.{len(tokens)}.norm1.weight' in state:
        block = f'blocks.{len(tokens)}'
        qkv = linear(norm(x, state, f'{block}.norm1'), state, f'{block}.attn.qkv')
        q, k, v = np.split(qkv, 3, axis=1)
        size, mixed, total = x.shape[1] // heads, [], 0
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            scores = np.exp(q[:, part] @ k[:, part].T / math.sqrt(size))
            scores = scores / scores.sum(axis=1, keepdims=True)
            mixed.append(scores @ v[:, part])
            total = total + scores / heads
        x = x + linear(np.concatenate(mixed, axis=1), state, f'{block}.attn.proj')
        hidden = linear(norm(x, state, f'{block}.norm2'), state, f'{block}.mlp.fc1')
        gelu = np.array([[h * (1 + math.erf(h / math.sqrt(2))) / 2 for h in row] for row in hidden])
        x = x + linear(gelu, state, f'{block}.mlp.fc2')
        tokens.append(x)
        attentions.append(total)
    return tokens, attentions
