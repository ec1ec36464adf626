# CAM, PASCAL VOC 2012, WideResNet-38 at output stride 8. As in the literature that uses it, the stem, stage
# b2 and all batch-norm are frozen. Initial weights: ImageNet, a file of the public names (conv1a, b2 .. bn7).
_base_ = [
    '../_base_/models/cam_r50.py',
    '../_base_/datasets/voc12aug_cls.py',
    '../_base_/schedules/schedule_wsss_5e.py',
    '../_base_/default_runtime.py',
]
pretrained = 'data/weights/resnet38_imagenet.pth'
model = dict(
    backbone=dict(
        _delete_=True,
        type='WideResNet38',
        output_stride=8,
        out_indices=(1, 2, 3, 5),
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    head=dict(in_channels=4096),
    norm_affine='frozen',
    frozen_modules=('conv1a', 'b2', 'b2_1', 'b2_2'),
)
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.15)])
