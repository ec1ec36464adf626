# ResNet-50 at output stride 16 with a CAM head, the localizer of IRNet and SIPE, as released: batch-norm
# statistics are fixed, everything up to stage 2 is frozen. Initial weights: ImageNet (torchvision).
num_classes = 20  # foreground classes of the dataset
pretrained = 'https://download.pytorch.org/models/resnet50-0676ba61.pth'
model = dict(
    type='ImageLevelClassifier',
    data_preprocessor=dict(
        type='WSSSDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size=(512, 512),
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
    head=dict(type='CAMHead', num_classes=num_classes, in_channels=2048),
    freeze_norm=True,
    norm_affine='trained',
    frozen_modules=('conv1', 'bn1', 'layer1', 'layer2'),
    test_cfg=dict(scales=(1.0, 0.5, 1.5, 2.0), flip=True, resize='uint8'),
)
