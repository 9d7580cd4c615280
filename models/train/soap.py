"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner (Vyas et al., 2024, arXiv:2409.11321).

For matrices as small as these the bases cost little, and a step gains more than one of Adam's (README.md).
"""
import torch


class SOAP(torch.optim.Optimizer):
    """Parameters of two or more dimensions are seen as matrices [first, rest]; vectors get plain Adam.

    decay: both moments' and both preconditioners'. refresh: steps between updates of the bases.
    """

    def __init__(self, params, rate, decay=0.95, refresh=10):
        super().__init__(params, {"lr": rate})
        self.decay, self.refresh = decay, refresh

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                grad = p.grad.flatten(1) if p.dim() > 1 else p.grad[None]
                state = self.state[p]
                if state:
                    p.add_(self._direction(state, grad).view_as(p), alpha=-group["lr"])
                else:
                    self._begin(state, grad, whiten=p.dim() > 1)

    @staticmethod
    def _begin(state, grad, whiten):
        """The first gradient only sets the bases."""
        state["step"] = 0
        state["mean"], state["square"] = torch.zeros_like(grad), torch.zeros_like(grad)
        state["factors"] = [grad @ grad.T, grad.T @ grad] if whiten else []
        state["bases"] = [torch.linalg.eigh(f)[1] for f in state["factors"]]

    def _direction(self, state, grad):
        """One Adam step's direction, computed in the rotated space and turned back."""
        state["step"] += 1
        fresh = 1 - self.decay
        state["mean"].lerp_(grad, fresh)
        mean = state["mean"]
        if state["bases"]:
            left, right = state["bases"]
            grad_r, mean_r = left.T @ grad @ right, left.T @ mean @ right
        else:
            grad_r, mean_r = grad, mean
        state["square"].lerp_(grad_r * grad_r, fresh)
        unbias = 1 - self.decay ** state["step"]
        out = mean_r / unbias / ((state["square"] / unbias).sqrt() + 1e-8)
        if state["bases"]:
            out = left @ out @ right.T
            for factor, new in zip(state["factors"], (grad @ grad.T, grad.T @ grad)):
                factor.lerp_(new, fresh)
            if state["step"] % self.refresh == 0:
                self._refresh(state)
        return out

    @staticmethod
    def _refresh(state):
        """One step of orthogonal iteration per basis, its columns (and the squares) in order of size."""
        for axis, factor in enumerate(state["factors"]):
            basis = state["bases"][axis]
            order = ((factor @ basis) * basis).sum(0).argsort(descending=True)
            state["square"] = state["square"].index_select(axis, order)
            state["bases"][axis] = torch.linalg.qr(factor @ basis[:, order])[0]
