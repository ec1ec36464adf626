# RPNet, PASCAL VOC 2012, ResNet-50. Eight pairs an iteration; 3,305 iterations show as many images as five
# epochs of the CAM and SIPE configs do. Rate and batch are the paper's; the momentum is the released code's,
# which hands the weight decay to it. ablations/rpnet_r50_voc_paper.py has the paper's head.
_base_ = [
    '../_base_/models/rpnet_r50.py',
    '../_base_/datasets/voc12aug_cls.py',
    '../_base_/schedules/schedule_wsss_5e.py',
    '../_base_/iter_runtime.py',
]
max_iters = 3305
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
# The plain map is a CAM and needs a background threshold; this is the CAM config's.
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.15)])
