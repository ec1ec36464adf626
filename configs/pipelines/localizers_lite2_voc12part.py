# Localizers side by side on VOC itself: maps of the 701 images of VOC's train in the part of VOC, at their
# best threshold, at the usual or the paper's, and at one chosen without masks. ReCAM goes on from CAM.
_base_ = '../_base_/pipelines/lite2_voc12part.py'
data_root = 'data/voc12_part'
configs = dict(
    localizer='configs/cam/cam_lite2_voc12part.py',
    recam='configs/recam/recam_lite2_voc12part.py',
    rpnet='configs/rpnet/rpnet_lite2_voc12part.py',
    seam='configs/seam/seam_lite2_voc12part.py',
)
train = '{data_root}/ImageSets/Segmentation/train_voc12.txt'
chosen = {'mask_cfg.refiners': [dict(type='BackgroundThreshold', threshold='chosen')]}
stages = dict(
    segmenter=None,
    segmenter_score=None,
    maps=dict(list=train),
    masks=dict(list=train),
    chosen_masks=dict(run='masks', config='localizer', maps='{maps}', list=train, options=chosen),
    chosen_masks_score=dict(run='score', config='localizer', masks='{chosen_masks}'),
)
for name in ('recam', 'rpnet', 'seam'):
    stages[name] = dict(run='train', config=name)
    stages[f'{name}_maps'] = dict(run='maps', config=name, checkpoint=f'{{{name}}}', list=train)
    stages[f'{name}_maps_score'] = dict(run='score', config=name, maps=f'{{{name}_maps}}')
    stages[f'{name}_masks'] = dict(
        run='masks', config=name, maps=f'{{{name}_maps}}', list=train, options=chosen
    )
    stages[f'{name}_masks_score'] = dict(run='score', config=name, masks=f'{{{name}_masks}}')
stages['recam']['options'] = dict(load_from='{localizer}')
del chosen, train, name
