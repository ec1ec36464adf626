# PSPNet (Zhao et al., CVPR 2017) on ResNet-101, output stride 8, on pseudo masks of PASCAL VOC 2012
# train_aug, from ImageNet weights.
_base_ = [
    '../_base_/models/dilated_r101.py',
    '../_base_/datasets/voc12aug_512_seg.py',
    '../_base_/schedules/schedule_sgd_40k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]
num_classes = 21
norm_cfg = {{_base_.norm_cfg}}
model = dict(
    decode_head=dict(
        type='PSPHead',
        in_channels=2048,
        channels=512,
        norm_cfg=norm_cfg,
        num_classes=num_classes,
        loss_decode=dict(type='GlobalCrossEntropyLoss'),
    ),
    auxiliary_head=dict(num_classes=num_classes),
)
default_hooks = dict(checkpoint=dict(interval=4000))
