# The paper's attenuation of the background.
_base_ = ['./sipe_mobilenetv2_vocmini.py']
model = dict(head=dict(bg_attenuation=0.5))
