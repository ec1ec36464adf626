# SIPE's maps, spread by IRNet, and DeepLabV2 with EfficientNet-Lite2 on 2,899 training images of VOC: it
# learns from the walk's masks cleaned by a dense CRF. Those of the walk alone are made to be scored.
_base_ = ['../_base_/pipelines/irn.py', '../_base_/pipelines/localizer_backbone.py']
data_root = 'data/voc12_part'
configs = dict(
    localizer='configs/sipe/sipe_lite2_voc12part.py',
    irn='configs/irn/irn_lite2_voc12part.py',
    irn_labels='configs/irn/irn_lite2_voc12part_labels.py',
    segmenter='configs/deeplabv2/deeplabv2_lite2_voc12part_pseudo.py',
)
stages = dict(
    masks=dict(list='{data_root}/ImageSets/Segmentation/train_voc12.txt'),
    crf_masks=dict(
        run='masks',
        config='irn',
        maps='{maps}',
        options={
            'mask_cfg.refiners': [
                dict(type='RandomWalk', config='{irn:config}', checkpoint='{irn}'),
                dict(type='DenseCRF', from_labels=True),
            ]
        },
    ),
    crf_masks_score=dict(run='score', config='localizer', masks='{crf_masks}'),
    segmenter=dict(options=dict(pseudo_mask_dir='{crf_masks}')),
    segmenter_score=dict(tta=True),
)
