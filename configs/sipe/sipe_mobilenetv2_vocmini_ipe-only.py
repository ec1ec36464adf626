# Table 4, "+ IPE": image-specific maps without the consistency loss (the side convolutions stay random).
_base_ = ['./sipe_mobilenetv2_vocmini.py']
model = dict(head=dict(gsc=False))
