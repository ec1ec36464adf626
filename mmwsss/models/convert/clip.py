"""Names of weights: CLIP's vision transformers and text encoders, and ours.

Theirs are OpenAI's (``visual.conv1.weight``, also of ``open_clip``) or those of Hugging Face's transformers
(``vision_model.embeddings.patch_embedding.weight``), which split the projection of queries, keys and values.
Ours are those of ``CLIPESLocalizer``: ``backbone.*`` (``CLIPVisionTransformer``) and ``head.text_encoder.*``
(mmseg's ``CLIPTextEncoder``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from mmwsss.functional.checks import check_choice
from mmwsss.models.convert.names import check_names, drop_common_prefixes, name_errors

__all__ = ['clip_to_mmwsss', 'mmwsss_to_clip']

IMAGE, TEXT = 'backbone.', 'head.text_encoder.'
NAMINGS = ('openai', 'huggingface')
SPLIT = ('q_proj', 'k_proj', 'v_proj')
# Numbers that their programs keep beside the weights.
NO_WEIGHTS = re.compile(
    r'(input_resolution|context_length|vocab_size|attn_mask'
    r'|(vision|text)_model\.embeddings\.position_ids)$'
)
HF_PATCHES = 'vision_model.embeddings.patch_embedding.weight'
HF_CLASS = 'vision_model.embeddings.class_embedding'
HF_POSITIONS = 'vision_model.embeddings.position_embedding.weight'
# Ours: (OpenAI's, Hugging Face's).
SINGLE = {
    'backbone.patch_embed.projection.weight': ('visual.conv1.weight', HF_PATCHES),
    'backbone.cls_token': ('visual.class_embedding', HF_CLASS),
    'backbone.pos_embed': ('visual.positional_embedding', HF_POSITIONS),
    'backbone.proj': ('visual.proj', 'visual_projection.weight'),
    f'{TEXT}token_embedding.weight': (
        'token_embedding.weight',
        'text_model.embeddings.token_embedding.weight',
    ),
    f'{TEXT}positional_embedding': (
        'positional_embedding',
        'text_model.embeddings.position_embedding.weight',
    ),
    f'{TEXT}text_projection': ('text_projection', 'text_projection.weight'),
    f'{TEXT}logit_scale': ('logit_scale', 'logit_scale'),
}
# Norms, one weight and one bias each; the misspelling is theirs.
NORMS = {
    'backbone.ln_pre': ('visual.ln_pre', 'vision_model.pre_layrnorm'),
    'backbone.ln1': ('visual.ln_post', 'vision_model.post_layernorm'),
    f'{TEXT}ln_final': ('ln_final', 'text_model.final_layer_norm'),
}
# Layers of a block: (in our image encoder, in mmseg's text encoder, OpenAI's, Hugging Face's).
BLOCK = (
    ('ln1', 'norms.0', 'ln_1', 'layer_norm1'),
    ('attn.attn.out_proj', 'attentions.0.attn.out_proj', 'attn.out_proj', 'self_attn.out_proj'),
    ('ln2', 'norms.1', 'ln_2', 'layer_norm2'),
    ('ffn.layers.0.0', 'ffns.0.layers.0.0', 'mlp.c_fc', 'mlp.fc1'),
    ('ffn.layers.1', 'ffns.0.layers.1', 'mlp.c_proj', 'mlp.fc2'),
)
# The two encoders' blocks: ours, OpenAI's, Hugging Face's.
ENCODERS = (
    ('backbone.layers', 'visual.transformer.resblocks', 'vision_model.encoder.layers'),
    (f'{TEXT}transformer', 'transformer.resblocks', 'text_model.encoder.layers'),
)
TRANSPOSED = ('backbone.proj', f'{TEXT}text_projection')  # in Hugging Face's files
FIRST_AXES = {'backbone.cls_token': 2, 'backbone.pos_embed': 1}  # axes of size 1 that ours adds


def clip_to_mmwsss(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """Rename the weights of a CLIP with a vision transformer; whose names they have, they say.

    Args:
        state: OpenAI's or Hugging Face's state dict; floating point becomes float32.

    Returns:
        Our state dict, and ``'openai'`` or ``'huggingface'``.

    Raises:
        ValueError: Keys are left over or missing; they are named.
    """
    state = {k: v for k, v in drop_common_prefixes(state).items() if not NO_WEIGHTS.match(k)}
    naming = NAMINGS[any(key.startswith(('vision_model.', 'text_model.')) for key in state)]
    table = names_table(state, naming)
    theirs = {key: ours for ours, keys in table.items() for key in keys}
    check_names(*name_errors(state, theirs), f"CLIP with a vision transformer of {naming}'s names")
    converted = {}
    for ours, keys in table.items():
        value = torch.cat([state[key].float() for key in keys]) if keys[1:] else state[keys[0]]
        if naming == 'huggingface' and ours in TRANSPOSED:
            value = value.T
        converted[ours] = value.float().reshape((1,) * FIRST_AXES.get(ours, 0) + value.shape)
    return converted, naming


def mmwsss_to_clip(state: Mapping[str, Tensor], naming: str = 'openai') -> dict[str, Tensor]:
    """Rename our weights to OpenAI's or Hugging Face's; the inverse of :func:`clip_to_mmwsss`.

    Args:
        state: State dict of a ``CLIPESLocalizer``.
        naming: ``'openai'`` or ``'huggingface'``.

    Raises:
        ValueError: Keys are left over or missing; they are named.
    """
    check_choice('naming', naming, NAMINGS)
    table = names_table(state, naming)
    errors = name_errors(state, {ours: ours for ours in table})
    check_names(*errors, 'mmwsss CLIPESLocalizer')
    released: dict[str, Tensor] = {}
    for ours, keys in table.items():
        value = state[ours].reshape(state[ours].shape[FIRST_AXES.get(ours, 0) :])
        if naming == 'huggingface' and ours in TRANSPOSED:
            value = value.T
        released.update(zip(keys, value.chunk(len(keys)) if keys[1:] else [value]))
    return {key: value.contiguous() for key, value in released.items()}


def names_table(keys: Collection[str], naming: str) -> dict[str, list[str]]:
    """Our names -> theirs, in order, for as many blocks as ``keys`` (of either side) have."""
    which = NAMINGS.index(naming)
    table = {ours: [theirs[which]] for ours, theirs in SINGLE.items()}
    for ours, norm in NORMS.items():
        table.update({f'{ours}.{n}': [f'{norm[which]}.{n}'] for n in ('weight', 'bias')})
    for encoder, places in enumerate(ENCODERS):
        for index in range(count_blocks(keys, (places[0], places[1 + which]))):
            mine, theirs = f'{places[0]}.{index}', f'{places[1 + which]}.{index}'
            for n in ('weight', 'bias'):
                for names in BLOCK:
                    table[f'{mine}.{names[encoder]}.{n}'] = [f'{theirs}.{names[2 + which]}.{n}']
                attention = 'attentions.0.attn' if encoder else 'attn.attn'
                table[f'{mine}.{attention}.in_proj_{n}'] = (
                    [f'{theirs}.self_attn.{part}.{n}' for part in SPLIT]
                    if which
                    else [f'{theirs}.attn.in_proj_{n}']
                )
    return table


def count_blocks(keys: Collection[str], places: tuple[str, str]) -> int:
    """How many blocks an encoder has; at least one, so that a missing encoder is missed by name."""
    pattern = re.compile('|'.join(rf'^{re.escape(place)}\.(\d+)\.' for place in places))
    found = [pattern.match(key) for key in keys]
    return max([1, *(int(m.group(1) or m.group(2)) + 1 for m in found if m)])
