# ResNet-101 with a stem of three 3x3 convolutions, output stride 8, and mmseg's auxiliary head on stage 3.
# SyncBN: on one process MMEngine makes it plain batch norm; several CPU processes need norm_cfg.type=BN.
_base_ = ['./encoder_decoder.py']
norm_cfg = dict(type='SyncBN', requires_grad=True)
pretrained = 'https://mmassets.onedl.ai/pretrain/third_party/resnet101_v1c-e67eebb6.pth'
model = dict(
    backbone=dict(
        type='ResNetV1c',
        depth=101,
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        norm_cfg=norm_cfg,
        contract_dilation=True,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=1024,
        in_index=2,
        channels=256,
        num_convs=1,
        concat_input=False,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='GlobalCrossEntropyLoss', loss_weight=0.4),
    ),
)
