"""Sources of tracks: one module per dataset layout, found by listing this package.

A new layout is one module with a subclass of `base.Layout`: its name for ``--layout``, its options,
how it is detected and how it is read. See `find` for reading a source of any layout.
"""
