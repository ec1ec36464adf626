# Maps of the enhanced instead of the plain branch; same weights as rpnet_mobilenetv2_vocmini.py.
_base_ = ['./rpnet_mobilenetv2_vocmini.py']
model = dict(head=dict(test_map='enhanced'))
