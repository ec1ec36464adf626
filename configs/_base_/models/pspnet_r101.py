# PSPNet (Zhao et al., CVPR 2017) on ResNet-101, output stride 8.
_base_ = ['./dilated_r101.py']
norm_cfg = {{_base_.norm_cfg}}
model = dict(
    decode_head=dict(
        type='PSPHead',
        in_channels=2048,
        channels=512,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='GlobalCrossEntropyLoss'),
    )
)
