# A segmenter trained on true masks, the bound of what pseudo masks can give: DeepLabV2 on voc_mini. Another
# one, such as those of configs/size_balanced/, with --cfg-options configs.segmenter=FILE.
configs = dict(segmenter='configs/deeplabv2/deeplabv2_mobilenetv2_vocmini_pseudo.py')
stages = dict(
    segmenter=dict(run='train', config='segmenter'),
    segmenter_score=dict(run='test', config='segmenter', checkpoint='{segmenter}'),
)
