"""What people see: numbers of the lake as small frames, charts of them, one report, and notebooks that run unattended.

``numbers`` reads, ``charts`` draws, ``report`` and ``notebooks`` make pages. Nothing here needs a network.
"""
