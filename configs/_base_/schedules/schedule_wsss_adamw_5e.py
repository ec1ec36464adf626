# Localizers on transformers: AdamW as mmseg's Swin and SegFormer configs have it (6e-5, weight decay 0.01,
# none for norms, layer scale and position embeddings), new layers at ten times the backbone's rate, a short
# warm-up.
_base_ = ['./schedule_wsss_5e.py']
max_epochs = 5
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={
            'absolute_pos_embed': dict(decay_mult=0.0),
            'cls_token': dict(decay_mult=0.0),
            'gamma': dict(decay_mult=0.0),
            'pos_embed': dict(decay_mult=0.0),
            'register_tokens': dict(decay_mult=0.0),
            'relative_position_bias_table': dict(decay_mult=0.0),
        },
    ),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, end=300, by_epoch=False),
    dict(type='PolyLR', power=0.9, by_epoch=True, convert_to_iter_based=True),
]
