# DeepLabV3+ (Chen et al., ECCV 2018) on ResNet-101, output stride 8.
_base_ = ['./dilated_r101.py']
norm_cfg = {{_base_.norm_cfg}}
model = dict(
    decode_head=dict(
        type='DepthwiseSeparableASPPHead',
        in_channels=2048,
        channels=512,
        dilations=(1, 12, 24, 36),
        c1_in_channels=256,
        c1_channels=48,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='GlobalCrossEntropyLoss'),
    )
)
