"""Names of weights: the checkpoints that other projects released, and ours.

ImageNet weights need no converter. mmseg's ``ResNet`` uses torchvision's names, and ``WideResNet38`` those
of the public files, so that they load as they are (a classifier is left out by MMEngine, with a message)::

    backbone=dict(type='ResNet', init_cfg=dict(type='Pretrained', checkpoint='resnet50.pth'))
    backbone=dict(type='ResNet', init_cfg=dict(
        type='Pretrained', checkpoint='mmpretrain_resnet50.pth', prefix='backbone.'))

the first for torchvision's files, the second for mmpretrain's. The ResNet of SIPE and IRN has a 7x7 stem,
stride on the 3x3 convolution (``style='pytorch'``), ``strides=(1, 2, 2, 1)`` and no dilation.
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
