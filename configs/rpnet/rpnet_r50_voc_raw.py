# Equation 13 as printed: the consistency of raw features.
_base_ = ['./rpnet_r50_voc.py']
model = dict(head=dict(consistency='raw'))
