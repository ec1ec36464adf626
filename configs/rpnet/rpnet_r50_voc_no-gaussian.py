# Table VI: the foreground map is not smoothed.
_base_ = ['./rpnet_r50_voc.py']
model = dict(head=dict(sigma=None))
