# Table IV: prototypes of blocks 2 and 3 instead of 2 and 4.
_base_ = ['./rpnet_r50_voc.py']
model = dict(head=dict(block_indices=(1, 2), block_channels=(512, 1024)))
