# A quarter-width ResNet-18 with output stride 8, trained from scratch: for the generated demo data.
num_classes = 5
model = dict(
    type='ImageLevelClassifier',
    data_preprocessor=dict(
        type='WSSSDataPreProcessor',
        mean=[127.5, 127.5, 127.5],
        std=[64.0, 64.0, 64.0],
        bgr_to_rgb=True,
        size=(144, 144),
    ),
    backbone=dict(
        type='ResNet',
        depth=18,
        stem_channels=16,
        base_channels=16,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 1, 1),
        norm_eval=False,
        style='pytorch',
    ),
    head=dict(type='CAMHead', num_classes=num_classes, in_channels=128),
    test_cfg=dict(scales=(1.0, 0.5, 1.5), flip=True),
)
