# SegFormer's head on DINOv2's ViT-S/14, on pseudo masks of
# PASCAL VOC 2012 train_aug. Rates as SegFormer's.
_base_ = ['./linear_dinov2-s_voc_pseudo.py']
model = dict(
    decode_head=dict(
        _delete_=True,
        type='SegformerHead',
        in_channels=[384, 384, 384, 384],
        in_index=[0, 1, 2, 3],
        channels=256,
        dropout_ratio=0.1,
        num_classes=21,
        norm_cfg=dict(type='SyncBN'),
        align_corners=False,
        loss_decode=dict(type='GlobalCrossEntropyLoss'),
    )
)
optim_wrapper = dict(
    optimizer=dict(lr=6e-5, weight_decay=0.01),
    paramwise_cfg=dict(
        custom_keys=dict(
            cls_token=dict(decay_mult=0.0),
            decode_head=dict(lr_mult=10.0),
            gamma=dict(decay_mult=0.0),
            pos_embed=dict(decay_mult=0.0),
            register_tokens=dict(decay_mult=0.0),
        )
    ),
)
