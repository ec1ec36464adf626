# The paper's text where the released code differs: equation 3 within a class, the mean over the pixels. The
# paper's own tau, lambda and number of iterations are in its supplement; these are the released code's.
_base_ = '../size_balanced_r101_voc_sb.py'

tau = 5.0
total = 'class'
normalize = 'pixels'
ewc_strength = 500.0
custom_hooks = [
    dict(
        type='EWCHook',
        strength=ewc_strength,
        task_b_begin=15_000,
        task_b_loss=dict(
            decode_head=dict(
                type='SizeBalancedCrossEntropyLoss', tau=tau, total=total, normalize=normalize
            )
        ),
        save_fisher='fisher.pth',
        fisher_losses=['decode_max.loss_ce'],
        num_workers=4,
    ),
]
