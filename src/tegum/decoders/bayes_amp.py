"""Bayes-AMP: approximate message passing that is told what the codes are like, and takes the posterior mean of every entry at every step.

Among all iterations of products with an i.i.d. dictionary and functions of single entries it has the least error (Celentano, Montanari & Wu
2020), and state evolution predicts that of every step. Noiseless codes are read where tau^2 = N mmse(tau^2) / d has no fixed point but 0, at
fewer dims than l1 needs (Donoho, Maleki & Montanari 2010; Krzakala et al. 2012).
"""

from dataclasses import dataclass

from torch import Tensor

from tegum.decoders._base import Decoded, Values
from tegum.decoders._message_passing import Prepared, pass_messages
from tegum.decoders._posterior_mean import PriorDecoder
from tegum.dictionaries import Dictionary
from tegum.features import SparseCodes
from tegum.shapes import Float


@dataclass(frozen=True, kw_only=True)
class BayesAMP(PriorDecoder):
    """Posterior means of the entries that are active with a chance above .001, once v stands still to `tolerance` |v| or rounding of |x|.

    What is more likely active than not is tried as the code, at 1 if binary and else fitted by least squares: where it explains x,
    the sample ends there. tau is seen in v, and not less than `noise_std`. A sample whose |v| passes 4 |x| ends as DIVERGED; one whose v stands
    still at more than 2 `noise_std` sqrt(d), and more than `tolerance` |x|, as MAX_STEPS.
    """

    def init(self, dictionary: Dictionary) -> Prepared:
        """The correlations to search, and the squared norms."""
        return Prepared.of(dictionary)

    def run(
        self,
        state: Prepared,
        dictionary: Dictionary,
        x: Float[Tensor, "batch dims"],
        start: SparseCodes | None = None,
    ) -> Decoded:
        """A product with the dictionary a step, and one of what is likely to be active."""
        return pass_messages(
            self.posterior_mean(state.norms, x),
            dictionary,
            state,
            x,
            start,
            kind=Values(self.values),
            tolerance=self.tolerance,
            max_steps=self.max_steps,
            noise_std=self.noise_std or 0.0,
            explained=self.explained(x),
        )
