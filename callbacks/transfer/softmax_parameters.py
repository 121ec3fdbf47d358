"""Logits that are used through a softmax and moved by Adam (HIR-ALIGN Eq. 14 and 16)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim.adam import adam

from hyperalign.errors import InputError


class SoftmaxParameters:
    """One block of logits with Adam's moments and the current softmax weights."""

    def __init__(self, logits: Tensor, learning_rate: float, epsilon: float, temperature: float = 1.0) -> None:
        """Start from the given logits.

        Args:
            logits: choices x N x h x W, contiguous; moved in place.
            learning_rate: of Adam.
            epsilon: of Adam.
            temperature: of the softmax over the first axis.
        """
        self.logits = logits
        self.weights = torch.empty_like(logits)
        self._temperature = temperature
        self._first, self._second = torch.zeros_like(logits), torch.zeros_like(logits)
        self._count = torch.zeros((), dtype=torch.float32, device=logits.device)
        self._learning_rate, self._epsilon = learning_rate, epsilon
        self._normalise()

    def _normalise(self) -> None:
        logits = self.logits if self._temperature == 1 else self.logits / self._temperature
        torch.softmax(logits, 0, out=self.weights)

    def logit_gradient(self, gradient: Tensor, mean: Tensor) -> Tensor:
        """Turn, in place, a gradient of the weights into one of the logits.

        Args:
            gradient: d objective / d weights, like the logits.
            mean: its average under the weights, N x h x W.

        Returns:
            `gradient`, overwritten.
        """
        gradient.sub_(mean).mul_(self.weights)
        return gradient if self._temperature == 1 else gradient.div_(self._temperature)

    def step(self, gradient: Tensor) -> None:
        """Take one fused Adam step, then compute the new weights.

        Args:
            gradient: d objective / d logits, contiguous.

        Raises:
            ValueError: if the gradient is not contiguous: the fused kernel reads memory in order, whatever the strides.
        """
        if not gradient.is_contiguous():
            raise InputError("SoftmaxParameters.step needs a contiguous gradient: pass gradient.contiguous().")
        adam(
            [self.logits],
            [gradient],
            [self._first],
            [self._second],
            [],
            [self._count],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self._learning_rate,
            weight_decay=0.0,
            eps=self._epsilon,
            maximize=False,
        )
        self._normalise()
