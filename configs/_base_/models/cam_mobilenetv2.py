# MobileNetV2 at output stride 16 with a CAM head: small enough to train on a CPU. Initial weights:
# ImageNet, from the file named by `pretrained` (mean and std 127.5).
num_classes = 20  # foreground classes of the dataset
pretrained = 'data/weights/mobilenet_v2_imagenet.pth'
model = dict(
    type='ImageLevelClassifier',
    data_preprocessor=dict(
        type='WSSSDataPreProcessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        bgr_to_rgb=True,
        size=(288, 288),
    ),
    backbone=dict(
        type='MobileNetV2',
        widen_factor=1.0,
        strides=(1, 2, 2, 2, 1, 1, 1),
        dilations=(1, 1, 1, 1, 1, 1, 1),
        out_indices=(1, 2, 4, 6),
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    head=dict(type='CAMHead', num_classes=num_classes, in_channels=320),
    freeze_norm=True,
    # No gradient up to stride 8, as the ResNet-50 recipe has it.
    frozen_modules=('conv1', 'layer1', 'layer2', 'layer3'),
    test_cfg=dict(scales=(1.0, 0.5, 1.5), flip=True),
)
