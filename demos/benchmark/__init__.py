"""How fast it is: value + gradient as a multiple of the bare matrix products that they need.

    python -m demos.benchmark                    every energy with its objectives at several sizes
    python -m demos.benchmark --quick            small sizes: a minute, mostly JAX's compilation
    python -m demos.benchmark --pinned           on one core, whatever the machine has
    python -m demos.benchmark --json             the same as one JSON object on standard output
    python -m demos.benchmark --figure FILE      a picture of it
    python -m demos.benchmark --cpu              processor time, for a busy machine

Each row is one energy, one objective, one size; all that is timed in it runs in turn, in one
process, in float64, with the same number of threads, and the median of the rounds counts.  `ms` is
the time of the bare products: as many calls of `@`, unblocked, as the closed forms need.  `refsm`,
`torch` and `jax` are multiples of it.  For PyTorch and JAX the faster of several forms counts: the
score by automatic differentiation of the energy, or written out by hand; exact traces in PyTorch by
a loop over dimensions or by vmap of jacfwd, in JAX by jit of vmap of jacfwd.  A case that would
take long is timed on its first points and marked with ~.  `MB` is the peak memory of an evaluation
by refsm above what the process has.  PyTorch and JAX are asked for the same value first.

The second table and the right picture are slopes on log-log axes, as n, d or m doubles, and as the
blocks are evaluated by one thread, two and four (`map=`).  For these, set OPENBLAS_NUM_THREADS=1.

A measurement, not a test: the numbers are those of the machine and of its load.
"""
