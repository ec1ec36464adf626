# CAM on your own data with boxes around all objects, which its masks must respect: see docs/methods/boxes.md.
_base_ = './cam_r50_custom.py'

boxes = 'data/custom/boxes.json'  # relative to the working directory, as classes
mask_cfg = dict(
    refiners=[
        dict(type='BackgroundThreshold', threshold=0.2),
        dict(type='BoxConstraint', boxes=boxes, classes='data/custom/classes.txt'),
    ]
)
