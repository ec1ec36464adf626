# RPNet on ResNet-50 at output stride 16, as released. Blocks 2 and 4 give prototypes, the paper's best pair.
_base_ = ['./cam_r50.py']
model = dict(
    head=dict(
        type='RPNetHead',
        num_classes={{_base_.num_classes}},
        in_channels=2048,
        block_indices=(1, 3),
        block_channels=(512, 2048),
        matching='same_block',
        loss_weights=dict(cls_enhanced=0.0),
    )
)
