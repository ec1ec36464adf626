# Table 5: semantic feature and no background prototype.
_base_ = ['./sipe_r50_voc_no-background.py']
model = dict(head=dict(feature='semantic'))
