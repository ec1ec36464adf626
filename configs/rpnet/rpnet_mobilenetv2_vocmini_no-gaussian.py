# Table VI: the foreground map is not smoothed.
_base_ = ['./rpnet_mobilenetv2_vocmini.py']
model = dict(head=dict(sigma=None))
