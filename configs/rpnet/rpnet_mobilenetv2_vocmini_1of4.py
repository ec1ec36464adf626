# RPNet on 1/4 of each class of voc_mini, for as many iterations as on all of it. The list:
# python tools/dataset_converters/subset.py configs/cam/cam_mobilenetv2_vocmini.py --out data/voc_mini_subsets
_base_ = './rpnet_mobilenetv2_vocmini.py'
train_dataloader = dict(dataset=dict(dataset=dict(subset='data/voc_mini_subsets/train_1of4.txt')))
