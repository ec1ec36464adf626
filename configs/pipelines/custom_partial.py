# Scribbles and points on your own images: what custom.py needs, and data/custom/partial with a mask of every
# training image, 255 where nothing is known. See docs/methods/boxes.md.
_base_ = './custom.py'
configs = dict(
    _delete_=True,
    images='configs/custom/cam_r50_custom.py',  # whose images and labels the masks are checked against
    segmenter='configs/custom/deeplabv2_r101_custom_pseudo.py',
)
stages = dict(
    _delete_=True,
    data={{_base_.stages.data}},
    partial=dict(run='masks', config='images', imported='{data_root}/partial', after='data'),
    segmenter=dict(run='train', config='segmenter', options=dict(pseudo_mask_dir='{partial}')),
    segmenter_score=dict(run='test', config='segmenter', checkpoint='{segmenter}'),
)
