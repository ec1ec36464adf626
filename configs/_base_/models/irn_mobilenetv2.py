# IRNet on a frozen MobileNetV2 at output stride 16, whose first stage at stride 4 sets the grid. Initial
# weights: ImageNet, from the file named by `pretrained` (mean and std 127.5).
pretrained = 'data/weights/mobilenet_v2_imagenet.pth'
model = dict(
    type='IRNet',
    data_preprocessor=dict(
        type='WSSSDataPreProcessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        bgr_to_rgb=True,
        size=(288, 288),
        seg_pad_val=255,
    ),
    backbone=dict(
        type='MobileNetV2',
        widen_factor=1.0,
        strides=(1, 2, 2, 2, 1, 1, 1),
        dilations=(1, 1, 1, 1, 1, 1, 1),
        out_indices=(1, 2, 4, 6),
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    in_channels=(24, 32, 96, 320),
    stem=None,
    displacement=dict(
        channels=(64, 64, 64, 64),
        groups=(8, 8, 8, 8),
        join_channels=64,
        join_groups=8,
    ),
    radius=10,
)
