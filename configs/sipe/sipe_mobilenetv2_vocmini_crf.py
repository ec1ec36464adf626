# The argmax of SIPE's maps, cleaned by a dense CRF; same maps as the parent.
_base_ = ['./sipe_mobilenetv2_vocmini.py']
mask_cfg = dict(refiners=[dict(type='DenseCRF', from_labels=True)])
