"""The stages of specialising, one file each. Each reads what the one before wrote into the run's folder.

check → split → skill → tune → bench → verdict → deploy. `specialize.py` runs them in this order; each is a command too.
"""
