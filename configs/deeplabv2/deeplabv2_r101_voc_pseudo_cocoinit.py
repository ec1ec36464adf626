# As deeplabv2_r101_voc_pseudo.py, but the backbone starts from a segmenter trained on COCO.
#
# `pretrained` is the checkpoint of a DeepLabV2-R101 segmenter of this package; its backbone is taken and
# its head left out. Training refuses to start while the file does not exist or does not hold every
# weight of the backbone. Two kinds of file are usual, and a result should say which it used:
# - trained on COCO's true masks, what "COCO-pretrained" means in most papers: it adds pixel labels;
# - trained by deeplabv2_r101_coco14_pseudo.py: image labels only.
_base_ = './deeplabv2_r101_voc_pseudo.py'

pretrained = 'data/weights/deeplabv2_r101_coco.pth'
initial_weights = 'coco'
model = dict(backbone=dict(init_cfg=dict(checkpoint=pretrained, prefix='backbone.')))
