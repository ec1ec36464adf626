# Table 5: semantic feature and no background prototype.
_base_ = ['./sipe_mobilenetv2_vocmini_no-background.py']
model = dict(head=dict(feature='semantic'))
