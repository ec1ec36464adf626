# What the modern segmenters have in common: ImageNet normalisation, crops of 512 pixels, whole test images.
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(512, 512),
    ),
    test_cfg=dict(mode='whole'),
)
initial_weights = 'imagenet'
