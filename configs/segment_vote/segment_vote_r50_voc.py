# Segments vote on SIPE's maps, PASCAL VOC 2012. The segments come first:
#   mmwsss data segments data/VOCdevkit/VOC2012/JPEGImages --out data/segments/voc12
_base_ = '../sipe/sipe_r50_voc.py'
segment_dir = 'data/segments/voc12'
mask_cfg = dict(_delete_=True, refiners=[dict(type='SegmentVote', segment_dir=segment_dir)])
