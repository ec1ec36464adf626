# CAM, and AMN trained on what CAM's maps are sure about, on 2,899 images of VOC with EfficientNet-Lite2; the
# segmenter learns AMN's masks.
_base_ = './cam_lite2_voc12part.py'
configs = dict(
    amn_labels='configs/irn/irn_lite2_voc12part_labels.py',
    amn='configs/amn/amn_lite2_voc12part.py',
)
options = dict(segmenter={'model.backbone.init_cfg.checkpoint': '{amn}'})
stages = dict(
    amn_labels=dict(
        run='masks',
        config='amn_labels',
        maps='{maps}',
        options={
            'mask_cfg.refiners.0.fg_threshold': 0.30,
            'mask_cfg.refiners.0.bg_threshold': 0.05,
        },
    ),
    amn=dict(run='train', config='amn', options=dict(pseudo_mask_dir='{amn_labels}')),
    amn_maps=dict(run='maps', config='amn', checkpoint='{amn}'),
    amn_maps_score=dict(run='score', config='amn', maps='{amn_maps}'),
    masks=dict(config='amn', maps='{amn_maps}'),
)
