# Segments vote on SIPE's maps on the part of VOC, EfficientNet-Lite2. The segments come first:
#   mmwsss data segments data/voc12_part/JPEGImages --out data/segments/voc12_part
_base_ = '../sipe/sipe_lite2_voc12part.py'
segment_dir = 'data/segments/voc12_part'
mask_cfg = dict(_delete_=True, refiners=[dict(type='SegmentVote', segment_dir=segment_dir)])
