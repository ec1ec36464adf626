"""Files of tiny vision transformers under the names that timm's, DeiT's and DINOv2's have."""

from __future__ import annotations

from mmseg.registry import MODELS


def vit_shapes(width, layers, patch, grid):
    """Shapes of the weights by name: class token, positions of a square grid, patches, blocks, norm."""
    shapes = {
        'cls_token': (1, 1, width),
        'pos_embed': (1, 1 + grid**2, width),
        'patch_embed.proj.weight': (width, 3, patch, patch),
        'patch_embed.proj.bias': (width,),
        'norm.weight': (width,),
        'norm.bias': (width,),
    }
    sizes = {
        'norm1': (width,), 'attn.qkv': (3 * width, width), 'attn.proj': (width, width),
        'norm2': (width,), 'mlp.fc1': (2 * width, width), 'mlp.fc2': (width, 2 * width),
    }  # fmt: skip
    for i in range(layers):
        for name, size in sizes.items():
            shapes[f'blocks.{i}.{name}.weight'] = size
            shapes[f'blocks.{i}.{name}.bias'] = size[:1]
    return shapes


def build_backbone(cfg, file=None, prefix=None):
    """A backbone that starts from a file, if one is given."""
    model = MODELS.build(cfg)
    if file:
        init_cfg = dict(type='Pretrained', checkpoint=str(file))
        model.init_cfg = {**init_cfg, 'prefix': prefix} if prefix else init_cfg
        model.init_weights()
    return model
