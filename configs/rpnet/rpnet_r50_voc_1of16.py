# RPNet on 1/16 of each class of VOC, for as many iterations as on all of it. The list:
# python tools/dataset_converters/subset.py configs/cam/cam_r50_voc.py --out data/voc_subsets
_base_ = './rpnet_r50_voc.py'
train_dataloader = dict(dataset=dict(dataset=dict(subset='data/voc_subsets/train_aug_1of16.txt')))
