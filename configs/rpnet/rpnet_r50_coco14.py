# RPNet, COCO 2014, 80 classes: as many images as five epochs of the other configs. Maps at a quarter of the
# image size: 82,081 images take about 7 GB instead of 100.
_base_ = [
    '../_base_/models/rpnet_r50.py',
    '../_base_/datasets/coco14_cls.py',
    '../_base_/schedules/schedule_wsss_5e.py',
    '../_base_/iter_runtime.py',
]
max_iters = 25650
model = dict(head=dict(num_classes=80), test_cfg=dict(stride=4))
train_dataloader = dict(
    batch_size=8,  # groups
    collate_fn=dict(type='flatten_groups'),
    sampler=dict(infinite=True),
    dataset=dict(
        _delete_=True,
        type='PairDataset',
        group_size=2,
        dataset={{_base_.train_dataloader.dataset}},
    ),
)
optim_wrapper = dict(optimizer=dict(lr=0.02, momentum=1e-4))
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False)]
train_cfg = dict(
    _delete_=True, type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters
)
auto_scale_lr = dict(base_batch_size=8)  # groups
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.15)])
