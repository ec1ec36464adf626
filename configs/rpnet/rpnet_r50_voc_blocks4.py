# Table IV: prototypes of block 4 instead of 2 and 4.
_base_ = ['./rpnet_r50_voc.py']
model = dict(head=dict(block_indices=(3,), block_channels=(2048,)))
