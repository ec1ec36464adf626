"""Names of weights: the checkpoints that other projects released, and ours.

ImageNet weights need no converter: mmseg's ``ResNet`` has torchvision's names, also mmpretrain's with
``init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')``; ``WideResNet38`` has those of the
public files. The ResNet of SIPE and IRN has a 7x7 stem, ``style='pytorch'``, ``strides=(1, 2, 2, 1)`` and
no dilation.
"""

from mmwsss.models.convert.names import unwrap_state_dict
from mmwsss.models.convert.released import (
    ALIASES,
    mmwsss_to_released_sipe,
    released_sipe_to_mmwsss,
)
from mmwsss.models.convert.resnet38 import mmwsss_to_public_resnet38, public_resnet38_to_mmwsss

__all__ = [
    'ALIASES',
    'mmwsss_to_public_resnet38',
    'mmwsss_to_released_sipe',
    'public_resnet38_to_mmwsss',
    'released_sipe_to_mmwsss',
    'unwrap_state_dict',
]
