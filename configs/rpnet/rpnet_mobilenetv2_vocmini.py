# RPNet on the 149 training images of voc_mini, small enough for a CPU. Eight pairs an iteration and 108
# iterations show the network as many images, 1728, as twelve epochs of the CAM and SIPE configs do.
_base_ = '../cam/cam_mobilenetv2_vocmini.py'
# Trained with these rates, the projections point all features in one direction within a few iterations,
# and the foreground map is the same everywhere. It is taken without gradient here, and of more selective
# masks; ablations/rpnet_mobilenetv2_vocmini_paper.py has the paper's settings. The second and the fourth
# output of the backbone give prototypes.
model = dict(
    head=dict(
        type='RPNetHead',
        block_indices=(1, 3),
        block_channels=(32, 320),
        detach=True,
        confidence_peak='image',
        confidence_threshold=0.5,
        projection_peak='image',
        consistency_scales=(1.0,),
    )
)
max_iters = 108
auto_scale_lr = dict(base_batch_size=8)  # groups
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
train_cfg = dict(
    _delete_=True, type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters
)
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False)]
default_hooks = dict(
    logger=dict(log_metric_by_epoch=False), checkpoint=dict(by_epoch=False, interval=max_iters)
)
log_processor = dict(by_epoch=False)
mask_cfg = dict(threshold_source='that of the CAM config')
