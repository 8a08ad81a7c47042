"""Dataset layouts: every module of this package but `base` is one, found by listing the package.

A layout is a subclass of `base.Layout`: its name for ``--layout``, its options, how it is detected
and how it is read.
"""
