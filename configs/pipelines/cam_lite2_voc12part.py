# CAM and DeepLabV2 with EfficientNet-Lite2 on 2,899 training images of VOC, scored on all of val.
_base_ = '../_base_/pipelines/localizer_segmenter.py'
configs = dict(
    localizer='configs/cam/cam_lite2_voc12part.py',
    segmenter='configs/deeplabv2/deeplabv2_lite2_voc12part_pseudo.py',
)
# The backbone that learned the image labels knows the classes better than ImageNet's.
stages = dict(
    segmenter=dict(
        options={
            'initial_weights': 'localizer',
            'model.backbone.init_cfg.checkpoint': '{localizer}',
            'model.backbone.init_cfg.prefix': 'backbone',
        }
    )
)
