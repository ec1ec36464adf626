# Segments vote on SIPE's maps on the generated demo images. The segments come first:
#   mmwsss data segments data/demo/JPEGImages --out data/segments/demo
_base_ = '../sipe/sipe_tiny_demo.py'
segment_dir = 'data/segments/demo'
mask_cfg = dict(_delete_=True, refiners=[dict(type='SegmentVote', segment_dir=segment_dir)])
