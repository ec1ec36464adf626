# The paper's settings: a foreground map with gradient, confidence by each channel's own peak, threshold 0.3.
# The projection is divided by the image's peak, as in the main config.
_base_ = ['../rpnet_mobilenetv2_vocmini.py']
model = dict(head=dict(detach=False, confidence_peak='channel', confidence_threshold=0.3))
