# Any folder of images with a CSV of class names:
#
#   data/custom/images/...      .jpg, .jpeg or .png, also in subfolders
#   data/custom/labels.csv      lines "id,class;class"; the id is the file name without suffix
#   data/custom/classes.txt     one class name a line, without background
#   data/custom/train.txt       ids of the training images
#
# tools/dataset_converters/generic.py writes all but the images.
_base_ = './localizer.py'
data_root = 'data/custom'
image_dir = 'images'  # in data_root, or anywhere: image_dir=/photos, which is only read
background = True  # False: every pixel has a class, as in tissue, and ids of masks begin at 0
images = dict(
    type='WSSSDataset',
    classes='classes.txt',
    background=background,
    data_root=data_root,
    data_prefix=dict(img_path=image_dir),
    ann_file='train.txt',
    labels=dict(source='csv', path='labels.csv'),
)
train_dataloader = dict(drop_last=False, dataset=images)
map_dataset = images
# Without masks only the image labels can be scored, here on the training images themselves.
val_dataloader = dict(
    dataset=dict(images, check_files='lazy', pipeline={{_base_.map_pipeline}}),
)
test_dataloader = val_dataloader
val_evaluator = [dict(type='MultiLabelMetric')]
test_evaluator = val_evaluator
