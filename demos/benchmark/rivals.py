"""PyTorch and JAX: value and gradient of a case by automatic differentiation."""
from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from demos.benchmark.cases import WITH_W, Case, products
from demos.benchmark.losses import loss_of

CHUNK = 2**24        # numbers in the d arrays per point that a trace by autodiff needs at a time


def threads() -> int:
    """How many threads the matrix products may use."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        if os.environ.get(name):
            return int(os.environ[name])
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def chunk_of(case: Case) -> int:
    """How many points a rival takes at once: all, unless it needs d arrays per point."""
    many = case.objective in ("implicit", "regularized", "ratio", "pseudo-lik.")
    return min(case.n, max(1, CHUNK // (case.d * max(case.d, case.m)))) if many else case.n


def contestants(p: SimpleNamespace, frameworks: list[Any]) -> Iterator[tuple[str, str, Callable]]:
    """(framework, form, evaluation of the first so many points) of every rival of a case."""
    for F in frameworks:
        if p.case.energy == "Parzen":
            score = F.parzen(p.x, p.model.centers, p.model.sigma)
            yield F.name, "softmax", lambda points, score=score: score()
        elif p.case.energy != "mixture":
            traces = p.case.objective in ("implicit", "regularized")
            for form in F.forms if traces else ["autodiff", "written out"]:
                yield F.name, form, F.rival(p.case, form, p.model.theta, p.x, p.x_noisy, p.v)


def products_in(F: Any, p: SimpleNamespace) -> Callable[[], Any] | None:
    """The bare products of a case in the framework's own BLAS; for models with hidden units."""
    if p.case.energy not in WITH_W:
        return None
    bare = products(p.case, p.x, p.x_noisy, p.model, F.array)
    return lambda: F.finish(bare())


def torch_framework() -> Any:
    """torch.autograd; None where torch is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(threads())

    def gradient_of(f: Callable) -> Callable:
        def gradient(x: Any) -> Any:
            if torch._C._functorch.is_functorch_wrapped_tensor(x):
                return torch.func.grad(lambda y: f(y).sum())(x)
            x = x if x.requires_grad else x.requires_grad_()    # one backward pass for all points
            return torch.autograd.grad(f(x).sum(), x, create_graph=True)[0]
        return gradient

    def jvp(score: Callable, x: Any, v: Any) -> tuple[Any, Any]:       # v'J is (J v)', J = J'
        x = x.detach().requires_grad_()
        psi = score(x)
        return psi, torch.autograd.grad((psi * v).sum(), x, create_graph=True)[0]

    def diagonal(score: Callable, x: Any, by_vmap: bool) -> tuple[Any, Any]:
        if by_vmap:
            jacobian = torch.func.jacfwd(score)
            return score(x), torch.func.vmap(lambda row: torch.diagonal(jacobian(row)))(x.detach())
        x = x.detach().requires_grad_()
        psi = score(x)
        entries = [torch.autograd.grad(psi[:, i].sum(), x, create_graph=True)[0][:, i]
                   for i in range(x.shape[1])]
        return psi, torch.stack(entries, dim=1)

    def rival(case: Case, form: str, theta: Any, *data: np.ndarray) -> Callable[[int], Any]:
        parameters = [torch.tensor(leaf, requires_grad=True) for leaf in theta]
        whole = [torch.tensor(a) for a in data]

        def run(points: int) -> tuple[float, list]:
            value, gradient, step = 0.0, None, chunk_of(case)
            for k in range(0, points, step):
                block = [a[k:k + step].detach() for a in whole]
                loss = loss_of(F, case, form, parameters, *block) / len(whole[0])
                part = torch.autograd.grad(loss, parameters, allow_unused=True)
                gradient = part if gradient is None else [
                    g if h is None else g + h for g, h in zip(gradient, part)]
                value += float(loss.detach())
            return value, gradient
        return run

    def parzen(x: np.ndarray, centers: np.ndarray, sigma: float) -> Callable[[], Any]:
        points, centers = torch.tensor(x), torch.tensor(centers)
        squares = (centers**2).sum(1) / (2 * sigma**2)

        def score(y: Any) -> Any:
            r = torch.softmax(y @ (centers.T / sigma**2) - squares, dim=1)
            return (r @ centers - y) / sigma**2

        def scores() -> Any:
            with torch.no_grad():
                return torch.cat([score(y) for y in points.split(1000)])
        return scores

    F = SimpleNamespace(
        name="torch", version=torch.__version__, sigmoid=torch.sigmoid, exp=torch.exp,
        tanh=torch.tanh, log1p=torch.log1p,
        softplus=lambda a: torch.nn.functional.softplus(a, threshold=50),
        eye=lambda d: torch.eye(d, dtype=torch.float64), gradient_of=gradient_of, jvp=jvp,
        diagonal=diagonal, rival=rival, parzen=parzen, array=torch.tensor, finish=lambda done: done,
        forms=["autodiff, loop", "written out, loop", "written out, vmap"])
    return F


def jax_framework() -> Any:
    """JAX with jit; None where JAX is not installed."""
    try:
        import jax
    except ImportError:
        return None
    jax.config.update("jax_enable_x64", True)

    def diagonal(score: Callable, x: Any, by_vmap: bool) -> tuple[Any, Any]:
        jacobian = jax.jacfwd(score)
        return score(x), jax.vmap(lambda row: jax.numpy.diagonal(jacobian(row)))(x)

    def rival(case: Case, form: str, theta: Any, *data: np.ndarray) -> Callable[[int], Any]:
        parameters = [jax.numpy.asarray(leaf) for leaf in theta]
        whole, step = [jax.numpy.asarray(a) for a in data], chunk_of(case)
        blocks = [[a[k:k + step] for a in whole] for k in range(0, len(data[0]), step)]

        def loss(theta: Any, *block: Any) -> Any:
            return loss_of(F, case, form, theta, *block) / len(data[0])

        graded = jax.jit(jax.value_and_grad(loss))
        add = functools.partial(jax.tree_util.tree_map, lambda a, b: a + b)

        def run(points: int) -> Any:
            parts = [graded(parameters, *block) for block in blocks[:-(-points // step)]]
            return jax.block_until_ready(functools.reduce(add, parts))
        return run

    def parzen(x: np.ndarray, centers: np.ndarray, sigma: float) -> Callable[[], Any]:
        @jax.jit
        def score(y: Any, centers: Any) -> Any:
            b = y @ (centers.T / sigma**2) - (centers**2).sum(1) / (2 * sigma**2)
            return (jax.nn.softmax(b, axis=1) @ centers - y) / sigma**2

        on_device = jax.numpy.asarray(centers)
        blocks = [x[k:k + 1000] for k in range(0, len(x), 1000)]
        return lambda: [jax.block_until_ready(score(block, on_device)) for block in blocks]

    F = SimpleNamespace(
        name="jax", version=jax.__version__, softplus=jax.nn.softplus, sigmoid=jax.nn.sigmoid,
        exp=jax.numpy.exp, tanh=jax.numpy.tanh, log1p=jax.numpy.log1p, eye=jax.numpy.eye,
        diagonal=diagonal, rival=rival, parzen=parzen,
        gradient_of=lambda f: jax.grad(lambda y: f(y).sum()),
        jvp=lambda score, x, v: jax.jvp(score, (x,), (v,)), array=jax.numpy.asarray,
        finish=jax.block_until_ready,
        forms=["autodiff, vmap", "written out, vmap"])
    return F
