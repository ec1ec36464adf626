# Localizers side by side on VOC itself: maps of the 701 images of VOC's train in the part of VOC, at their
# best threshold, at the usual or the paper's, and at one chosen without masks. ReCAM goes on from CAM.
_base_ = './cam_lite2_voc12part.py'
data_root = 'data/voc12_part'
configs = dict(
    recam='configs/recam/recam_lite2_voc12part.py',
    seam='configs/seam/seam_lite2_voc12part.py',
)
options = {
    name: {
        'map_dataset.ann_file': 'ImageSets/Segmentation/train_voc12.txt',
        'map_dataset.expected_count': 701,
    }
    for name in ('localizer', 'recam', 'seam')
}
chosen = {'mask_cfg.refiners': [dict(type='BackgroundThreshold', threshold='chosen')]}
stages = dict(
    segmenter=None,
    segmenter_score=None,
    chosen_masks=dict(run='masks', config='localizer', maps='{maps}', options=chosen),
    chosen_masks_score=dict(run='score', config='localizer', masks='{chosen_masks}'),
    recam=dict(run='train', config='recam', options=dict(load_from='{localizer}')),
    recam_maps=dict(run='maps', config='recam', checkpoint='{recam}'),
    recam_maps_score=dict(run='score', config='recam', maps='{recam_maps}'),
    recam_masks=dict(run='masks', config='recam', maps='{recam_maps}', options=chosen),
    recam_masks_score=dict(run='score', config='recam', masks='{recam_masks}'),
    seam=dict(run='train', config='seam'),
    seam_maps=dict(run='maps', config='seam', checkpoint='{seam}'),
    seam_maps_score=dict(run='score', config='seam', maps='{seam_maps}'),
    seam_masks=dict(run='masks', config='seam', maps='{seam_maps}', options=chosen),
    seam_masks_score=dict(run='score', config='seam', masks='{seam_masks}'),
)
del chosen
