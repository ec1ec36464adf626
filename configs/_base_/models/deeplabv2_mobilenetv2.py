# DeepLabV2 on MobileNetV2, output stride 16: small enough for two CPU cores.
# The head's dilations are half of those at output stride 8, so that they span the same pixels.
pretrained = 'data/weights/mobilenet_v2_imagenet.pth'
initial_weights = 'imagenet'
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(257, 257),
    ),
    backbone=dict(
        type='MobileNetV2',
        widen_factor=1.0,
        strides=(1, 2, 2, 2, 1, 1, 1),
        dilations=(1, 1, 1, 1, 1, 2, 2),
        out_indices=(6,),
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    decode_head=dict(
        type='DeepLabV2Head',
        in_channels=320,
        in_index=0,
        dilations=(3, 6, 9, 12),
        align_corners=True,
        loss_decode=dict(type='GlobalCrossEntropyLoss'),
    ),
    test_cfg=dict(mode='whole'),
)
