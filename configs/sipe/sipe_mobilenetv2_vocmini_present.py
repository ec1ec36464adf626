# The general CAM's background looks at present classes only; the paper's looks at all of them.
_base_ = ['./sipe_mobilenetv2_vocmini.py']
model = dict(head=dict(background_from='present'))
