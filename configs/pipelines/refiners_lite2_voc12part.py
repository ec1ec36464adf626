# Refiners side by side on SIPE's maps of the 701 images of VOC's train in the part of VOC; nothing is chosen
# on the masks. The boxes are those of the components of the true masks: labels in addition to the images'.
_base_ = './sipe_lite2_voc12part.py'
data_root = 'data/voc12_part'
configs = dict(
    par='configs/par/par_lite2_voc12part.py',
    segment_vote='configs/segment_vote/segment_vote_lite2_voc12part.py',
    svm='configs/svm/svm_lite2_voc12part.py',
)
train = '{data_root}/ImageSets/Segmentation/train_voc12.txt'
stages = dict(
    segmenter=None,
    segmenter_score=None,
    maps=dict(list=train),
    masks=dict(list=train, options={'mask_cfg.refiners': []}),  # the argmax
    chosen_masks=dict(run='masks', config='localizer', maps='{maps}', list=train),
    chosen_masks_score=dict(run='score', config='localizer', masks='{chosen_masks}'),
    par_masks=dict(run='masks', config='par', maps='{maps}', list=train),
    par_masks_score=dict(run='score', config='localizer', masks='{par_masks}'),
    superpixels=dict(
        run='tool',
        tool='dataset_converters/segments.py',
        args=[
            '{data_root}/JPEGImages',
            '--list',
            train,
            '--out',
            '{work}',
        ],
    ),
    vote_masks=dict(
        run='masks',
        config='segment_vote',
        maps='{maps}',
        list=train,
        options={'mask_cfg.refiners.0.segment_dir': '{superpixels}'},
    ),
    vote_masks_score=dict(run='score', config='localizer', masks='{vote_masks}'),
    boxes=dict(
        run='tool',
        tool='export_masks.py',
        args=[
            '{data_root}/SegmentationClassAug',
            '--format',
            'coco',
            '--classes',
            'voc',
            '--images',
            '{data_root}/JPEGImages',
            '--list',
            train,
            '--out',
            '{work}',
        ],
    ),
    box_masks=dict(
        run='masks',
        config='localizer',
        maps='{maps}',
        list=train,
        options={
            'mask_cfg.refiners': [
                dict(
                    type='BoxConstraint',
                    boxes='{boxes}/annotations/instances_default.json',
                    classes=[
                        'aeroplane',
                        'bicycle',
                        'bird',
                        'boat',
                        'bottle',
                        'bus',
                        'car',
                        'cat',
                        'chair',
                        'cow',
                        'diningtable',
                        'dog',
                        'horse',
                        'motorbike',
                        'person',
                        'pottedplant',
                        'sheep',
                        'sofa',
                        'train',
                        'tvmonitor',
                    ],
                )
            ]
        },
    ),
    box_masks_score=dict(run='score', config='localizer', masks='{box_masks}'),
    svm_masks=dict(
        run='masks',
        config='svm',
        maps='{maps}',
        list=train,
        options={'mask_cfg.refiners.1.checkpoint': '{localizer}'},
    ),
    svm_masks_score=dict(run='score', config='localizer', masks='{svm_masks}'),
)
chosen = dict(type='BackgroundThreshold', threshold='chosen', replace=True)
for name, refiner in (('crf_masks', 'DenseCRF'), ('chosen_par_masks', 'PixelAdaptiveRefinement')):
    refiners = {'mask_cfg.refiners': [chosen, dict(type=refiner)]}
    stages[name] = dict(
        run='masks', config='localizer', maps='{maps}', list=train, options=refiners
    )
    stages[f'{name}_score'] = dict(run='score', config='localizer', masks=f'{{{name}}}')
del chosen, train, name, refiner, refiners
