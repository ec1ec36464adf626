# CLIP-ES, PASCAL VOC 2012, CLIP's ViT-B/16, without training.
_base_ = [
    '../_base_/models/clip_es_vitb16.py',
    '../_base_/datasets/voc12aug_cls.py',
    '../_base_/default_runtime.py',
]
model = dict(head=dict(sharper=dict(bird='bird avian', person='person with clothes,people,human')))
