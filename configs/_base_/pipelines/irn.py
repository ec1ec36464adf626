# Masks by IRNet: trained on what the class maps are sure about, it spreads the maps by random walk. A child
# names the configs of IRNet and of its labels, too.
_base_ = './refined.py'
configs = dict(irn=None, irn_labels=None)
stages = dict(
    irn_labels=dict(run='masks', config='irn_labels', maps='{maps}'),
    irn=dict(run='train', config='irn', options=dict(pseudo_mask_dir='{irn_labels}')),
    masks=dict(
        config='irn',
        options={
            'mask_cfg.refiners.0.config': '{irn:config}',
            'mask_cfg.refiners.0.checkpoint': '{irn}',
        },
    ),
)
