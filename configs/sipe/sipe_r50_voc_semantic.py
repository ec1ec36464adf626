# Table 5: prototypes and IS-CAM in the semantic feature instead of the hierarchical one.
_base_ = ['./sipe_r50_voc.py']
model = dict(head=dict(feature='semantic'))
