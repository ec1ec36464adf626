# What pseudo masks could give at best on 2,899 images of VOC: DeepLabV2 on true masks, which begins with the
# backbone of a SIPE localizer like the one on SIPE's masks.
_base_ = './sipe_lite2_voc12part.py'
stages = dict(
    maps=None,
    maps_score=None,
    masks=None,
    masks_score=None,
    segmenter=dict(options=dict(_delete_=True)),
)
