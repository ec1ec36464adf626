# CLIP-ES on your own data and class names, without training. What else is in the images:
# `model.head.background_texts`.
_base_ = [
    '../_base_/models/clip_es_vitb16.py',
    '../_base_/datasets/custom_cls.py',
    '../_base_/default_runtime.py',
]
model = dict(head=dict(num_classes='auto'))
