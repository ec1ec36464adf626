# Transformers, as mmseg trains Swin, SegFormer and SegNeXt: AdamW at 6e-5, weight decay 0.01 but for norms
# and position embeddings, 1,500 steps of warm-up, then linear to zero; 40,000 steps of 16 images.
_base_ = ['./schedule_sgd_40k.py']
max_iters = 40_000
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={
            'pos_block': dict(decay_mult=0.0),
            'absolute_pos_embed': dict(decay_mult=0.0),
            'relative_position_bias_table': dict(decay_mult=0.0),
        },
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=1500, by_epoch=False),
    dict(type='PolyLR', power=1.0, eta_min=0.0, begin=1500, end=max_iters, by_epoch=False),
]
