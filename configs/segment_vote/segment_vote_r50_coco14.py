# Segments vote on SIPE's maps, COCO 2014, 80 classes. The segments come first:
#   mmwsss data segments data/coco2014/train2014 --out data/segments/coco14
_base_ = '../sipe/sipe_r50_coco14.py'
segment_dir = 'data/segments/coco14'
mask_cfg = dict(_delete_=True, refiners=[dict(type='SegmentVote', segment_dir=segment_dir)])
