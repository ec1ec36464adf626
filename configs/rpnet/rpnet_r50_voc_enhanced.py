# Maps of the enhanced instead of the plain branch; same weights as rpnet_r50_voc.py.
_base_ = ['./rpnet_r50_voc.py']
model = dict(head=dict(test_map='enhanced'))
