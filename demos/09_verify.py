# %% [markdown]
# # Verify yours: planted mistakes and their diagnosis
#
# **Claim.** A loss is a sum of a few terms. For denoising score matching, with the target g,
#
#     J_DSM = E 1/2 |psi|^2 - E psi.g + E 1/2 |g|^2
#
# An implementation that multiplies the whole by a positive factor has the same minimisers: a convention. One that
# changes a term has others: a mistake. A single number cannot tell which it is. The answers to thirty cases, in which
# d, n, M, sigma and theta differ, can, and they say which term it is and by what law; so `refsm.verify` names the
# mistake, in an implementation of which it knows nothing but its answers.
#
# It takes 5 seconds.

# %%
import textwrap

import numpy as np

import refsm

try:
    from demos._figure import Progress, figure_file, pyplot, save, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import Progress, figure_file, pyplot, save, table

FIGURE = figure_file("09_verify", "Verify your own loss: planted mistakes and their diagnosis.")


# %% [markdown]
# ## Somebody's losses
#
# An implementation is a function of a case, which holds data, noise, directions and parameters as arrays, and returns a
# number. Here are sixteen: one is right, three follow another convention, twelve are wrong, each in a way that has been
# seen in public code.

# %%
def half(r):
    return (r * r).sum(axis=1) / 2


def target(case):
    return (case.x - case.x_noisy) / case.sigma**2


def sliced(case, v):
    along = np.einsum("nri,ni->nr", v, case.score(case.x))
    return (case.score_curvature(case.x, v) + along**2 / 2).mean()


def unit_length(v):
    return v / np.sqrt((v * v).sum(axis=-1, keepdims=True))


PLANTED = {
    "nothing": ("dsm", lambda case: half(case.score(case.x_noisy) - target(case)).mean()),
    "no 1/2": ("dsm", lambda case: 2 * half(case.score(case.x_noisy) - target(case)).mean()),
    "mean over dimensions": ("dsm", lambda case: half(case.score(case.x_noisy) - target(case)).mean() / case.d),
    "weight sigma^2": ("dsm", lambda case: case.sigma**2 * half(case.score(case.x_noisy) - target(case)).mean()),
    "sign of the target": ("dsm", lambda case: half(case.score(case.x_noisy) + target(case)).mean()),
    "sigma for sigma^2": ("dsm", lambda case: half(case.score(case.x_noisy) - case.sigma * target(case)).mean()),
    "score at the clean x": ("dsm", lambda case: half(case.score(case.x) - target(case)).mean()),
    "norm not squared": ("dsm", lambda case: np.sqrt(2 * half(case.score(case.x_noisy) - target(case))).mean()),
    "no 1/2 on |psi|^2": ("ism", lambda case: (2 * half(case.score(case.x)) + case.score_divergence(case.x)).mean()),
    "trace dropped": ("ism", lambda case: half(case.score(case.x)).mean()),
    "Hessian of E": ("ism", lambda case: (half(case.score(case.x)) - case.score_divergence(case.x)).mean()),
    "sum for trace": ("ism", lambda case: (half(case.score(case.x)) + case.score_jacobian(case.x).sum(axis=(1, 2))).mean()),
    "unit directions": ("ssm", lambda case: sliced(case, unit_length(case.directions))),
    "one set of directions": ("ssm", lambda case: sliced(case, np.broadcast_to(case.directions[:1], case.directions.shape))),
    "sign of the gap": ("ratio", lambda case: (1 / (1 + np.exp(-case.energy_gap(case.x))) ** 2).sum(axis=1).mean()),
}


def decoder_forgotten(case):
    """The loss is right; its gradient for W has the encoder's part alone."""
    W, b, c = case.params["W"], case.params["b"], case.params["c"]
    h = 1 / (1 + np.exp(-(case.x_noisy @ W.T + b)))
    error = h @ W + c - case.x
    delta = 2 * error / case.n
    delta_a = delta @ W.T * h * (1 - h)
    return {"value": (error**2).sum(axis=1).mean(), "gradient": {"W": delta_a.T @ case.x_noisy, "b": delta_a.sum(axis=0), "c": delta.sum(axis=0)}}


# %% [markdown]
# ## The diagnosis

# %%
reports = {}
with Progress("implementations", of=len(PLANTED) + 1) as progress:
    for mistake, (objective, implementation) in PLANTED.items():
        reports[mistake] = refsm.verify(implementation, objective)
        progress(mistake)
    reports["decoder forgotten"] = refsm.verify(decoder_forgotten, "dae", gradient=True)
    progress()

rows = []
for mistake, report in reports.items():
    said, *more = textwrap.wrap(report.gradient[0] if report.gradient else report.name, 36)
    rows += [[mistake, report.objective, report.verdict, said], *([".", "", "", line] for line in more)]
print("what was planted, and what thirty answers say:")
table(["planted", "loss", "verdict", "diagnosis"], [["" if entry == "." else entry for entry in row] for row in rows])

# %% [markdown]
# ## One report in full
#
# Which term, by which law, what it does to training, what is not the problem, the smallest case, and what to write if
# it is meant.

# %%
if "no 1/2 on |psi|^2" in reports:
    print()
    for line in str(reports["no 1/2 on |psi|^2"]).splitlines():
        indent = line[:len(line) - len(line.lstrip())]
        print("\n".join(textwrap.wrap(line, 80, subsequent_indent=indent)) if len(line) > 80 else line)

# %% [markdown]
# ## With torch, where it is installed
#
# The adapter is the loss as it stands: tensors are taken as they come. The second one detaches the decoder's weights.

# %%
try:
    import torch
except ImportError:
    torch = None


def torch_loss(detach):
    def loss(case):
        W, b, c = (torch.tensor(case.params[name], requires_grad=True) for name in "Wbc")
        x, x_noisy = torch.tensor(case.x), torch.tensor(case.x_noisy)
        decoder = W.detach() if detach else W
        psi = (torch.sigmoid(x_noisy @ W.T + b) @ decoder + c - x_noisy) / case.sigma**2
        value = ((psi - (x - x_noisy) / case.sigma**2) ** 2).sum(dim=1).mean() / 2
        value.backward()
        return {"value": value, "gradient": {"W": W.grad, "b": b.grad, "c": c.grad}}
    return loss


if torch is None:
    print("\ntorch is not installed; with it this demo verifies a torch loss as well.")
else:
    in_torch = {detach: refsm.verify(torch_loss(detach), "dsm", gradient=True) for detach in (False, True)}
    print()
    for detach, report in in_torch.items():
        finding = report.gradient[0] if report.gradient else report.name
        print(textwrap.fill(f"torch{', decoder detached' if detach else ''}: {report.verdict}; {finding}", 80, subsequent_indent="    "))

# %% [markdown]
# ## The picture
#
# The ratio of an answer to the reference, case by case. A convention is a factor that knows the sizes but not theta:
# one level for each group (the groups have marks of their own). A mistake depends on theta: the ratios scatter, and no
# factor mends it. But the ratio alone does not say what it is: the terms do.

# %%
if plt := pyplot():
    from refsm.verify.cases import value

    shown = {"no 1/2": "no 1/2", "weight sigma^2": r"weight $\sigma^2$", "sign of the target": "sign of the target",
             "sigma for sigma^2": r"$\sigma$ for $\sigma^2$", "no 1/2 on |psi|^2": r"no 1/2 on $|\psi|^2$", "trace dropped": "trace dropped"}
    figure, axes = plt.subplots(2, 3, figsize=(9, 4.4), sharex=True)
    for axis, mistake in zip(axes.ravel(), [name for name in shown if name in reports]):
        objective, implementation = PLANTED[mistake]
        cases = refsm.verify.cases(objective, "prime")
        ratio = np.array([implementation(case) / value(case) for case in cases])
        groups = [case.group for case in cases]
        for group, mark in zip(sorted(set(groups)), "osD^vx"):
            k = np.flatnonzero(np.array(groups) == group)
            axis.plot(k, ratio[k], mark, color="k" if reports[mistake].verdict == "CONVENTION" else "#c4501b", markersize=4, fillstyle="none")
        axis.axhline(1, color="0.85", linewidth=0.8, zorder=0)
        axis.set_title(f"{objective}: {shown[mistake]}")
        low, high = min(0, ratio.min()), max(ratio.max(), 1)
        axis.set_ylim(low - 0.1 * (high - low), high + 0.15 * (high - low))
        axis.text(0.02, 0.02, reports[mistake].verdict, transform=axis.transAxes, fontsize=7, color="0.4")
    for axis in axes[1]:
        axis.set_xlabel("case")
    for axis in axes[:, 0]:
        axis.set_ylabel("answer / reference")
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
if progress.finished:
    found = {mistake: (report.verdict, report.convention) for mistake, report in reports.items()}
    assert found["nothing"][0] == "PASS"
    assert found["no 1/2"] == ("CONVENTION", "2")
    assert found["mean over dimensions"] == ("CONVENTION", "1 / d")
    assert found["weight sigma^2"] == ("CONVENTION", "sigma^2")
    assert found["sign of the target"] == ("MISMATCH", "target x -1")
    assert found["sigma for sigma^2"] == ("MISMATCH", "target x sigma")
    assert found["no 1/2 on |psi|^2"] == ("MISMATCH", "norm x 2")
    assert found["trace dropped"] == ("MISMATCH", "divergence x 0")
    assert found["Hessian of E"] == ("MISMATCH", "divergence x -1")
    for mistake in list(PLANTED)[4:]:
        assert found[mistake][0] == "MISMATCH", mistake
    assert reports["decoder forgotten"].exit_status == 1 and reports["decoder forgotten"].gradient
    refsm.assert_conforms(PLANTED["no 1/2"][1], "dsm", convention="2")                   # a difference that is meant
    if torch is not None:
        assert in_torch[False].verdict == "PASS" and in_torch[True].exit_status == 1
