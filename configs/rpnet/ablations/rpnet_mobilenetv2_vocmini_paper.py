# The paper's settings: a foreground map with gradient, each channel divided by its own peak, threshold 0.3.
_base_ = ['../rpnet_mobilenetv2_vocmini.py']
model = dict(head=dict(detach=False, confidence_peak='channel', confidence_threshold=0.3))
