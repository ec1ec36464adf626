"""Names of weights: the checkpoints that other projects released, and ours.

ImageNet weights need no converter: mmseg's ``ResNet`` has torchvision's names, also mmpretrain's with
``init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')``; ``WideResNet38`` has those of the
public files. The ResNet of SIPE and IRN has a 7x7 stem, ``style='pytorch'``, ``strides=(1, 2, 2, 1)`` and
no dilation.
"""

from mmwsss.utils.packages import export_modules

__all__ = export_modules(__name__)
