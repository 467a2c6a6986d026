"""Training on a rented machine: a bundle that goes there, and the result that comes back.

    greenroom train RECIPE --bundle FILE ──▶ FILE ──▶ run.sh, there ──▶ result.tar ──▶ greenroom personas add result.tar

`packing` writes a bundle and `result` reads what comes back; both run at home. `run.sh`, `machine`, `sealing` and
`archive` travel in the bundle and run where Greenroom is not installed: they import the standard library and, to
decrypt, `cryptography`, which axolotl brings along.
"""
