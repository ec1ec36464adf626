# RPNet on the generated demo images, from scratch: pairs, and everything else as in the CAM config.
_base_ = '../cam/cam_tiny_demo.py'

model = dict(
    head=dict(
        _delete_=True,
        type='RPNetHead',
        num_classes=5,
        in_channels=128,
        block_indices=(1, 3),
        block_channels=(32, 128),
    )
)
auto_scale_lr = dict(base_batch_size=8)  # groups
train_dataloader = dict(
    batch_size=8,  # groups
    collate_fn=dict(type='flatten_groups'),
    dataset=dict(
        _delete_=True,
        type='PairDataset',
        group_size=2,
        dataset={{_base_.train_dataloader.dataset}},
    ),
)
