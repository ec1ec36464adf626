"""Training hooks."""

from mmwsss.engine.hooks.random_state_hook import RandomStateHook

__all__ = ['RandomStateHook']
