# IRNet on a frozen ResNet-50 at output stride 16; edges and displacements on the grid of stride 4.
pretrained = 'torchvision://resnet50'  # or a file with torchvision's names
model = dict(
    type='IRNet',
    data_preprocessor=dict(
        type='WSSSDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size=(512, 512),
        seg_pad_val=255,
    ),
    backbone=dict(
        type='ResNet',
        depth=50,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 1),
        style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    in_channels=(64, 256, 512, 1024, 2048),
    stem='maxpool',
    radius=10,
)
