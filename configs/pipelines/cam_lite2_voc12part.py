# CAM and DeepLabV2 with EfficientNet-Lite2 on 2,899 training images of VOC, scored on all of val; the
# threshold is chosen without masks.
_base_ = '../_base_/pipelines/lite2_voc12part.py'
configs = dict(localizer='configs/cam/cam_lite2_voc12part.py')
stages = dict(
    masks=dict(
        options={'mask_cfg.refiners': [dict(type='BackgroundThreshold', threshold='chosen')]}
    )
)
