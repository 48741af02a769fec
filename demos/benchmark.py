"""How fast it is: value + gradient as a multiple of the bare matrix products that they need, beside torch and JAX.

    python -m demos.benchmark                    every energy with its objectives at several sizes: some minutes
    python -m demos.benchmark --quick            small sizes: a minute, most of it for JAX to compile
    python -m demos.benchmark --json             the same as one JSON object on standard output
    python -m demos.benchmark --figure FILE      a picture of it
    python -m demos.benchmark --cpu              on a busy machine: processor time, of all threads together, not the time on the wall

Each row is one energy, one objective, one size; all that is timed in it runs in turn, in one process, in float64, with the same number of
threads, and the median of the rounds counts.  `ms` is the time of the bare products: as many calls of `@`, unblocked, as the closed forms
need.  `refsm`, `torch` and `jax` are multiples of it.  For torch and JAX the faster of several forms counts: the score by automatic
differentiation of the energy, or written out by hand; exact traces in torch by a loop over dimensions or by vmap of jacfwd, in JAX by
jit of vmap of jacfwd.  What would take long is timed on its first points and marked with ~.  `MB` is the memory that an evaluation by
refsm takes above what the process has, at its peak.  torch and JAX are asked for the same value first.

A benchmark, not a test: the numbers are those of the machine and of what else it does.
"""
from __future__ import annotations

import argparse
import ctypes
import functools
import json
import os
import pathlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

import refsm
from demos._figure import pyplot, save, table

SIGMA = 0.5          # of the energies
NOISE = 0.3          # of the corruption
CENTRES = 20000      # of the Parzen density
COMPONENTS = 5       # of the mixture
CHUNK = 2**24        # numbers in the d arrays of m numbers that a trace by automatic differentiation needs for its points at a time
PATIENCE = 10.0      # seconds that one evaluation by a rival may take before its first points stand for all

LARGE = {"continuous": [(20000, 64, 256), (5000, 784, 1000), (100000, 2, 64)], "dense": [(20000, 64, 0), (5000, 784, 0)],
         "Parzen": [(20000, 64, 0)], "binary": [(20000, 64, 128)], "visible": [(20000, 64, 0)]}
QUICK = {"continuous": [(2000, 16, 64), (5000, 3, 32)], "dense": [(2000, 16, 0)], "Parzen": [(1000, 5, 0)], "binary": [(500, 16, 32)], "visible": [(500, 16, 0)]}
TINY = {"continuous": [(40, 3, 5)], "dense": [(40, 3, 0)], "Parzen": [(30, 3, 0)], "binary": [(40, 6, 5)], "visible": [(40, 6, 0)]}
SIZES = {"large": LARGE, "quick": QUICK, "tiny": TINY}


Clock = Callable[[], float]


class Case(NamedTuple):
    """One energy and one objective at one size."""

    energy: str
    objective: str
    n: int
    d: int
    m: int

    def __str__(self) -> str:
        return f"{self.energy}, {self.objective}, n = {self.n}, d = {self.d}, m = {self.m}"


# -- the cases ----------------------------------------------------------------------------------------------------------

HIDDEN = ("autoencoder", "G-B RBM")
OBJECTIVES = {"continuous": ["denoising", "autoencoder", "implicit", "regularized", "sliced"], "dense": ["denoising", "implicit"],
              "Parzen": ["score"], "binary": ["ratio", "pseudo-lik."], "visible": ["ratio", "pseudo-lik."]}
ENERGIES = {"continuous": HIDDEN, "dense": ("Gaussian", "mixture"), "Parzen": ("Parzen",), "binary": ("binary RBM",), "visible": ("Boltzmann",)}


def cases(sizes: dict[str, list[tuple[int, int, int]]]) -> Iterator[Case]:
    """Every energy with its objectives, at each of its sizes."""
    for kind, energies in ENERGIES.items():
        for n, d, m in sizes[kind]:
            for energy in energies:
                for objective in OBJECTIVES[kind]:
                    if (energy, objective) != ("G-B RBM", "autoencoder"):
                        yield Case(energy, objective, n, d, COMPONENTS if energy == "mixture" else m)


def problem(case: Case) -> SimpleNamespace:
    """The data and the model of a case; what depends on the size alone is the same for all."""
    (energy, objective, n, d, m), rng = case, np.random.default_rng(0)
    x = rng.integers(0, 2, size=(n, d)).astype(float) if energy in ("binary RBM", "Boltzmann") else rng.normal(size=(n, d))
    x_noisy = x + NOISE * rng.normal(size=(n, d))
    v = rng.choice([-1.0, 1.0], size=(n, 1, d))
    W, b, c = rng.normal(size=(m, d)) / np.sqrt(d), rng.normal(size=m), rng.normal(size=d)
    A = rng.normal(size=(d, d)) / np.sqrt(d)
    model = {"autoencoder": lambda: refsm.AutoencoderEnergy(W, b, c, sigma=SIGMA),
             "G-B RBM": lambda: refsm.GaussianBernoulliRBM(W, b, c, 0.1 * rng.normal(size=d)),
             "Gaussian": lambda: refsm.Gaussian(c, np.eye(d) + A @ A.T),
             "mixture": lambda: refsm.GaussianMixture(np.full(m, 1 / m), W, np.tile(np.eye(d), (m, 1, 1))),
             "Parzen": lambda: refsm.Parzen(rng.normal(size=(min(n, CENTRES), d)), 2.0),
             "binary RBM": lambda: refsm.BernoulliRBM(W, b, c),
             "Boltzmann": lambda: refsm.BoltzmannMachine(A + A.T - np.diag(np.diag(A + A.T)), c)}[energy]()
    J = {"denoising": lambda: refsm.DenoisingScoreMatching(x, x_noisy, NOISE), "autoencoder": lambda: refsm.DenoisingAutoencoderLoss(x, x_noisy),
         "implicit": lambda: refsm.ImplicitScoreMatching(x), "regularized": lambda: refsm.RegularizedScoreMatching(x, 0.1),
         "sliced": lambda: refsm.SlicedScoreMatching(x, v), "score": lambda: None,
         "ratio": lambda: refsm.RatioMatching(x), "pseudo-lik.": lambda: refsm.PseudoLikelihood(x)}[objective]()
    evaluate = (lambda: model.score(x)) if J is None else (lambda: J.value_and_gradient(model))
    return SimpleNamespace(case=case, x=x, x_noisy=x_noisy, v=v[:, 0], model=model, evaluate=evaluate, bare=products(case, x, x_noisy, model))


def products(case: Case, x: np.ndarray, x_noisy: np.ndarray, model: Any) -> Callable[[], None]:
    """The bare products of a case: to the activations, to the score, and the three of the way back; more where the objective asks for more."""
    if case.energy in (*HIDDEN, "binary RBM"):
        W, h = model.W, np.zeros((case.n, case.m))
        forth, back = (lambda y: y @ W.T), (lambda y: h.T @ y)
        if case.energy == "binary RBM":
            return lambda: (forth(x), back(x), back(x))                                              # a; A'x, s'g
        more = {"regularized": lambda: (h @ W, forth(x), back(x)), "sliced": lambda: (forth(x), back(x))}.get(case.objective, lambda: None)
        return lambda: (forth(x_noisy), h @ W, forth(x), back(x_noisy), back(x), more())             # a; psi; p W', A'x, s'p
    if case.energy == "Parzen":
        return lambda: [(x[k:k + 1000] @ model.centers.T) @ model.centers for k in range(0, case.n, 1000)]
    square = np.eye(case.d)
    if case.energy == "mixture":
        return lambda: [(x @ square, x @ square, x.T @ x) for _ in range(case.m)]                    # P r, P p, r'p for each component
    return lambda: (x @ square, x.T @ x_noisy)                                                       # P r; r'p


# -- the rivals: energies and objectives as they are usually written, for whichever framework F is ----------------------------

def energy_of(F: Any, case: Case, theta: Any, x: Any) -> Any:
    """E(x) up to a constant, (n,), or for one point a number."""
    if case.energy == "autoencoder":
        W, b, c = theta
        return -(x @ c - (x * x).sum(-1) / 2 + F.softplus(x @ W.T + b).sum(-1)) / SIGMA**2
    if case.energy == "G-B RBM":
        W, b, c, log_sigma = theta
        tau = F.exp(-2 * log_sigma)
        return (tau * (x - c)**2).sum(-1) / 2 - F.softplus((tau * x) @ W.T + b).sum(-1)
    if case.energy == "binary RBM":
        W, b, c = theta
        return -(x @ c) - F.softplus(x @ W.T + b).sum(-1)
    if case.energy == "Boltzmann":
        W, b = theta
        return -((x @ W) * x).sum(-1) / 2 - x @ b
    mean, P = theta
    return (((x - mean) @ P) * (x - mean)).sum(-1) / 2


def score_of(F: Any, case: Case, theta: Any, x: Any) -> Any:
    """The same energies' scores, written out."""
    if case.energy == "autoencoder":
        W, b, c = theta
        return (F.sigmoid(x @ W.T + b) @ W + c - x) / SIGMA**2
    if case.energy == "G-B RBM":
        W, b, c, log_sigma = theta
        tau = F.exp(-2 * log_sigma)
        return tau * (F.sigmoid((tau * x) @ W.T + b) @ W + c - x)
    mean, P = theta
    return (mean - x) @ P


def gaps_of(F: Any, case: Case, theta: Any, x: Any, written_out: bool) -> Any:
    """E(x with bit i flipped) - E(x), (n, d): all neighbours as one array, or by what a flip changes."""
    if not written_out:
        signs = 1 - 2 * F.eye(x.shape[1])
        neighbours = (x[:, None, :] - 0.5) * signs + 0.5                                 # (n, d, d)
        return energy_of(F, case, theta, neighbours) - energy_of(F, case, theta, x)[:, None]
    if case.energy == "Boltzmann":
        W, b = theta
        return (2 * x - 1) * (x @ W + b)
    W, b, c = theta
    a, delta = x @ W.T + b, 1 - 2 * x
    return -c * delta - (F.softplus(a[:, None, :] + delta[:, :, None] * W.T) - F.softplus(a)[:, None, :]).sum(-1)


def loss_of(F: Any, case: Case, form: str, theta: Any, x: Any, x_noisy: Any, v: Any) -> Any:
    """The sum of the terms over the points; `form` says how the score and the trace come about."""
    by_hand = "written out" in form
    if case.objective in ("ratio", "pseudo-lik."):
        gap = gaps_of(F, case, theta, x, by_hand)
        return (F.sigmoid(-gap)**2).sum() if case.objective == "ratio" else F.softplus(-gap).sum()
    score = functools.partial(score_of, F, case, theta) if by_hand else F.gradient_of(lambda y: -energy_of(F, case, theta, y))
    if case.objective == "denoising":
        return ((score(x_noisy) - (x - x_noisy) / NOISE**2)**2).sum() / 2
    if case.objective == "autoencoder":
        return ((SIGMA**2 * score(x_noisy) + x_noisy - x)**2).sum()
    if case.objective == "sliced":
        psi, Jv = F.jvp(score, x, v)
        return (Jv * v).sum() + ((psi * v).sum(-1)**2).sum() / 2
    psi, diagonal = F.diagonal(score, x, "vmap" in form)
    penalty = 0.1 * (diagonal**2).sum() if case.objective == "regularized" else 0
    return (psi**2).sum() / 2 + diagonal.sum() + penalty


def torch_framework() -> Any:
    """torch.autograd; None where torch is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(threads())

    def gradient_of(f: Callable) -> Callable:
        def gradient(x: Any) -> Any:
            if not torch._C._functorch.is_functorch_wrapped_tensor(x):                  # points as they come: one backward pass for all
                x = x if x.requires_grad else x.requires_grad_()
                return torch.autograd.grad(f(x).sum(), x, create_graph=True)[0]
            return torch.func.grad(lambda y: f(y).sum())(x)
        return gradient

    def jvp(score: Callable, x: Any, v: Any) -> tuple[Any, Any]:                        # v'J is (J v)', J being symmetric
        x = x.detach().requires_grad_()
        psi = score(x)
        return psi, torch.autograd.grad((psi * v).sum(), x, create_graph=True)[0]

    def diagonal(score: Callable, x: Any, by_vmap: bool) -> tuple[Any, Any]:
        if by_vmap:
            return score(x), torch.func.vmap(lambda row: torch.diagonal(torch.func.jacfwd(score)(row)))(x.detach())
        x = x.detach().requires_grad_()
        psi = score(x)
        return psi, torch.stack([torch.autograd.grad(psi[:, i].sum(), x, create_graph=True)[0][:, i] for i in range(x.shape[1])], dim=1)

    def rival(case: Case, form: str, theta: Any, *data: np.ndarray) -> Callable[[int], Any]:
        parameters = [torch.tensor(block, requires_grad=True) for block in theta]
        whole = [torch.tensor(a) for a in data]

        def run(points: int) -> tuple[float, list]:
            value, gradient, step = 0.0, None, chunk_of(case)
            for k in range(0, points, step):
                loss = loss_of(F, case, form, parameters, *(a[k:k + step].detach() for a in whole)) / len(whole[0])
                part = torch.autograd.grad(loss, parameters, allow_unused=True)
                gradient = part if gradient is None else [g if h is None else g + h for g, h in zip(gradient, part)]
                value += float(loss.detach())
            return value, gradient
        return run

    forms = ["autodiff, loop", "written out, loop", "written out, vmap"]
    F = SimpleNamespace(name="torch", version=torch.__version__, softplus=lambda a: torch.nn.functional.softplus(a, threshold=50), sigmoid=torch.sigmoid,
                        exp=torch.exp, eye=lambda d: torch.eye(d, dtype=torch.float64), gradient_of=gradient_of, jvp=jvp, diagonal=diagonal,
                        rival=rival, forms=forms, parzen=lambda x, centers, sigma: torch_parzen(torch, x, centers, sigma))
    return F


def torch_parzen(torch: Any, x: np.ndarray, centers: np.ndarray, sigma: float) -> Callable[[], Any]:
    """The Parzen score by softmax over blocks of points, as it is usually written."""
    x, centers = torch.tensor(x), torch.tensor(centers)
    squares = (centers**2).sum(1) / (2 * sigma**2)
    with torch.no_grad():
        return lambda: torch.cat([(torch.softmax(y @ (centers.T / sigma**2) - squares, dim=1) @ centers - y) / sigma**2 for y in x.split(1000)])


def jax_framework() -> Any:
    """JAX with jit; None where JAX is not installed."""
    try:
        import jax
    except ImportError:
        return None
    jax.config.update("jax_enable_x64", True)

    def diagonal(score: Callable, x: Any, by_vmap: bool) -> tuple[Any, Any]:
        return score(x), jax.vmap(lambda row: jax.numpy.diagonal(jax.jacfwd(score)(row)))(x)

    def rival(case: Case, form: str, theta: Any, *data: np.ndarray) -> Callable[[int], Any]:
        parameters, whole = [jax.numpy.asarray(block) for block in theta], [jax.numpy.asarray(a) for a in data]
        step = chunk_of(case)
        graded = jax.jit(jax.value_and_grad(lambda theta, *part: loss_of(F, case, form, theta, *part) / len(data[0])))
        blocks = [[a[k:k + step] for a in whole] for k in range(0, len(data[0]), step)]

        def run(points: int) -> Any:
            parts = [graded(parameters, *block) for block in blocks[:-(-points // step)]]
            return jax.block_until_ready(functools.reduce(functools.partial(jax.tree_util.tree_map, lambda a, b: a + b), parts))
        return run

    def parzen(x: np.ndarray, centers: np.ndarray, sigma: float) -> Callable[[], Any]:
        def score(y: Any, centers: Any) -> Any:
            b = y @ (centers.T / sigma**2) - (centers**2).sum(1) / (2 * sigma**2)
            return (jax.nn.softmax(b, axis=1) @ centers - y) / sigma**2
        graded, on_device = jax.jit(score), jax.numpy.asarray(centers)
        return lambda: [jax.block_until_ready(graded(x[k:k + 1000], on_device)) for k in range(0, len(x), 1000)]

    F = SimpleNamespace(name="jax", version=jax.__version__, softplus=jax.nn.softplus, sigmoid=jax.nn.sigmoid, exp=jax.numpy.exp, eye=jax.numpy.eye,
                        gradient_of=lambda f: jax.grad(lambda y: f(y).sum()), jvp=lambda score, x, v: jax.jvp(score, (x,), (v,)), diagonal=diagonal,
                        rival=rival, forms=["autodiff, vmap", "written out, vmap"], parzen=parzen)
    return F


def chunk_of(case: Case) -> int:
    """How many points a rival takes at once: all, but where it needs d arrays a point."""
    many = case.objective in ("implicit", "regularized", "ratio", "pseudo-lik.")
    return min(case.n, max(1, CHUNK // (case.d * max(case.d, case.m)))) if many else case.n


def contestants(p: SimpleNamespace, frameworks: list[Any]) -> Iterator[tuple[str, str, Callable[[int], Any]]]:
    """(framework, form, evaluation of the first so many points) of every rival of a case."""
    for F in frameworks:
        if p.case.energy == "Parzen":
            score = F.parzen(p.x, p.model.centers, p.model.sigma)
            yield F.name, "softmax", lambda points, score=score: score()
        elif p.case.energy != "mixture":
            traces = p.case.objective in ("implicit", "regularized")
            for form in F.forms if traces else ["autodiff", "written out"]:
                yield F.name, form, F.rival(p.case, form, p.model.theta, p.x, p.x_noisy, p.v)


# -- clock and memory -----------------------------------------------------------------------------------------------------

def threads() -> int:
    """How many threads the matrix products may use."""
    return int(os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


def seconds(f: Callable[[], Any], clock: Clock) -> float:
    """The time of one call."""
    start = clock()
    f()
    return clock() - start


def peak_memory(f: Callable[[], Any]) -> float | None:
    """The most memory that a call takes above what the process has, in MB; None where the system does not say."""
    status = pathlib.Path("/proc/self/status")
    try:
        ctypes.CDLL(None).malloc_trim(0)                                 # what earlier calls freed is not there to be used again
        pathlib.Path("/proc/self/clear_refs").write_text("5")            # the peak starts here
    except (OSError, AttributeError):
        return None

    def field(name: str) -> float:
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(name)) / 1024

    before = field("VmRSS")
    f()
    return max(field("VmHWM") - before, 0.0)


def measure(case: Case, frameworks: list[Any], rounds: int, clock: Clock) -> dict[str, Any]:
    """One row: medians over rounds in which everything takes its turn."""
    p = problem(case)
    memory = peak_memory(p.evaluate)
    value = None if case.objective == "score" else p.evaluate()[0]
    runs: dict[tuple[str, str], Callable[[], Any]] = {("products", ""): p.bare, ("refsm", ""): p.evaluate}
    estimated: dict[tuple[str, str], float] = {}
    for name, form, run in contestants(p, frameworks):
        part = chunk_of(case)
        run(part)                                                        # compiled and warm
        time_of_all = seconds(lambda: run(part), clock) * case.n / part
        if time_of_all > PATIENCE:
            estimated[name, form] = time_of_all
            continue
        found = run(case.n)
        if value is not None and not abs(float(found[0]) - value) <= 1e-8 * (1 + abs(value)):
            raise ArithmeticError(f"{name} ({form}) must find {value} for {case}, but it found {float(found[0])}")
        runs[name, form] = lambda run=run: run(case.n)
    times: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            times[key].append(seconds(run, clock))
    median = {key: statistics.median(t) for key, t in times.items()} | estimated
    row: dict[str, Any] = {**case._asdict(), "products_seconds": median.pop(("products", "")), "refsm_seconds": median.pop(("refsm", "")), "peak_MB": memory}
    for F in frameworks:
        own = {form: t for (name, form), t in median.items() if name == F.name}
        if own:
            best = min(own, key=own.__getitem__)
            row[F.name] = {"seconds": own[best], "form": best, "estimated": (F.name, best) in estimated, "all": own}
    return row


def growth(sizes: str, rounds: int, clock: Clock) -> Iterator[dict[str, Any]]:
    """How the time grows when one of n, d, m doubles, and doubles again, from a middle size."""
    start = {"large": (10000, 64, 128), "quick": (1000, 16, 32), "tiny": (20, 3, 5)}[sizes]
    for objective in ("denoising", "implicit"):
        for k, letter in enumerate("ndm"):
            all_sizes = [tuple(size * 2**step if i == k else size for i, size in enumerate(start)) for step in range(3)]
            evaluate = [problem(Case("autoencoder", objective, *size)).evaluate for size in all_sizes]      # type: ignore[arg-type]
            times = [[seconds(f, clock) for f in evaluate] for _ in range(rounds + 1)][1:]
            median = [statistics.median(t) for t in zip(*times)]
            yield {"energy": "autoencoder", "objective": objective, "grows": letter, "from": dict(zip("ndm", start)), "seconds": median,
                   "factors": [median[1] / median[0], median[2] / median[1]]}


# -- what is shown ----------------------------------------------------------------------------------------------------------

def multiple(row: dict[str, Any], name: str) -> str:
    """The time of a contestant in units of the bare products; ~ where the first points stand for all, - where it did not run."""
    if name == "refsm":
        return f"{row['refsm_seconds'] / row['products_seconds']:.2f}"
    if name not in row:
        return "-"
    ratio = row[name]["seconds"] / row["products_seconds"]
    return ("~" if row[name]["estimated"] else "") + (f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.3g}")


def show(report: dict[str, Any]) -> None:
    """The tables, and what they say."""
    table(["energy", "objective", "n", "d", "m", "ms", "refsm", "torch", "jax", "MB"],
          [[row["energy"], row["objective"], str(row["n"]), str(row["d"]), str(row["m"] or "-"), f"{1000 * row['products_seconds']:.3g}",
            multiple(row, "refsm"), multiple(row, "torch"), multiple(row, "jax"), "-" if row["peak_MB"] is None else f"{row['peak_MB']:.0f}"]
           for row in report["rows"]])
    for name in report["rivals"]:
        rows = [row for row in report["rows"] if name in row]
        for objectives in (["denoising", "autoencoder"], ["implicit", "regularized"], ["sliced"], ["ratio", "pseudo-lik."], ["score"]):
            faster = [row[name]["seconds"] / row["refsm_seconds"] for row in rows if row["objective"] in objectives]
            if faster:
                print(f"{'' if objectives[0] != 'denoising' else chr(10)}{' and '.join(objectives)}: {name} takes {min(faster):.3g} to {max(faster):.3g} times as long")
    table(["energy", "objective", "grows", "ms", "x2", "x4"],
          [[row["energy"], row["objective"], f"{row['grows']} from {row['from'][row['grows']]}", f"{1000 * row['seconds'][0]:.3g}",
            *(f"{factor:.2f}" for factor in row["factors"])] for row in report["growth"]])


def draw(report: dict[str, Any], file: pathlib.Path) -> None:
    """One bar a contestant and row, in units of the bare products, on a logarithmic axis."""
    plt = pyplot()
    rows = report["rows"]
    if plt is None or not rows:
        return
    figure, axes = plt.subplots(figsize=(7, 1 + 0.3 * len(rows)))
    for k, (name, ink) in enumerate(zip(["refsm", *report["rivals"]], ["#0b62a4", "#c4501b", "#7fa23c"])):
        lengths = [row["refsm_seconds"] if name == "refsm" else row[name]["seconds"] if name in row else 0 for row in rows]
        axes.barh([i + 0.27 * (k - 1) for i in range(len(rows))], [t / row["products_seconds"] for t, row in zip(lengths, rows)], 0.25, color=ink, label=name)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set(xscale="log", xlabel="time of value and gradient, in units of the bare matrix products", ylim=(len(rows) - 0.4, -0.6))
    axes.set_yticks(range(len(rows)), [f"{row['energy']}, {row['objective']}  {row['n']} x {row['d']} x {row['m'] or '-'}" for row in rows], fontsize=7)
    axes.legend()
    save(figure, file)


def say(text: str) -> None:
    """Progress, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def run(sizes: str, rounds: int, clock: Clock, out: Any) -> dict[str, Any]:
    """The whole benchmark; Ctrl-C ends it and leaves what is done."""
    frameworks = []
    for name, framework in (("torch", torch_framework), ("jax", jax_framework)):
        if (F := framework()) is None:
            print(f"No {name}: it is not installed (pip install {name} brings it).", file=out)
        else:
            frameworks.append(F)
    report: dict[str, Any] = {"threads": threads(), "numpy": np.__version__, "rivals": {F.name: F.version for F in frameworks}, "rounds": rounds, "clock": clock.__name__,
                              "finished": False, "rows": [], "growth": []}
    every = list(cases(SIZES[sizes]))
    try:
        for k, case in enumerate(every):
            say(f"{k + 1}/{len(every)}  {case}")
            report["rows"].append(measure(case, frameworks, rounds, clock))
        for row in growth(sizes, rounds, clock):
            say(f"growth with {row['grows']}")
            report["growth"].append(row)
        report["finished"] = True
    except KeyboardInterrupt:
        print(f"\ninterrupted: {len(report['rows'])} of {len(every)} rows; what is done follows", file=out)
    say("")
    return report


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m demos.benchmark", description="Value + gradient in units of their bare matrix products.")
    parser.add_argument("--quick", action="store_const", dest="sizes", const="quick", default="large", help="small sizes: seconds")
    parser.add_argument("--tiny", action="store_const", dest="sizes", const="tiny", help="sizes that measure nothing: does it run?")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="medians of N rounds (default: %(default)s)")
    parser.add_argument("--cpu", action="store_const", dest="clock", const=time.process_time, default=time.perf_counter,
                        help="on a busy machine: processor time, of all threads together")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, notes on standard error")
    parser.add_argument("--figure", type=pathlib.Path, metavar="FILE", help="draw it, too")
    given = parser.parse_args(arguments)
    report = run(given.sizes, given.rounds, given.clock, sys.stderr if given.json else sys.stdout)
    if given.json:
        print(json.dumps(report))
    else:
        show(report)
    if given.figure:
        draw(report, given.figure)


if __name__ == "__main__":
    main()
