# MCTformer+: 45 epochs of batches of 32, AdamW. The rest is DeiT's recipe, on which it builds: 5e-4 for a
# batch of 512 in all layers, weight decay of all but biases, norms, class tokens and positions, 5 epochs of
# warm-up from 1e-6, a cosine to 1e-5.
_base_ = ['./schedule_wsss_adamw_5e.py']
warmup_epochs, max_epochs = 5, 45
optim_wrapper = dict(
    optimizer=dict(lr=3.125e-5, weight_decay=0.05),
    paramwise_cfg=dict(
        bias_decay_mult=0.0,
        custom_keys={
            'head.': dict(lr_mult=1.0),
            'head.classifier.bias': dict(lr_mult=1.0, decay_mult=0.0),
            'in_proj_bias': dict(decay_mult=0.0),
        },
    ),
    clip_grad=None,
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.032,
        end=warmup_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.32,
        begin=warmup_epochs,
        end=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
auto_scale_lr = dict(base_batch_size=32)
