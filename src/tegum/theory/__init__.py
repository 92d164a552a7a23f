"""Closed forms and exact losses; nothing is sampled here. One subject a file."""

from tegum.features._subset_bits import subset_bits
from tegum.theory.correlated_pairs import PairMinima, collapse_border, pair_minima, three_pairs
from tegum.theory.cross_entropy import tokens_on_neuron_loss
from tegum.theory.free_phases import Minima, one_dim_minima, pair_border, two_dim_minima
from tegum.theory.linear_optimum import best_linear_loss, covariance
from tegum.theory.losses import expected_loss
from tegum.theory.optimum import Optimum, local_minima, optimal_loss
from tegum.theory.phase import (
    ONE_DIM_PHASES,
    TWO_DIM_PHASES,
    Boundaries,
    best_one_dim,
    best_two_dim,
    one_dim_boundaries,
    one_dim_candidates,
    one_dim_models,
    one_dim_phase,
    triple_point,
    two_dim_candidates,
    two_dim_models,
    two_dim_phase,
)
from tegum.theory.polygons import PolygonOptimum, best_polygon, polygon, polygon_loss
from tegum.theory.priors import Channel, Posterior, channel, log_odds, posterior, value_moments
from tegum.theory.rarer_feature import ByRareOutput, Pentagons, bent_pentagons, digon_crossings, one_rarer, two_digons_loss
from tegum.theory.sphere_packing import THOMSON_ENERGY, THOMSON_SHAPE, coulomb_energy, interference_loss, ring_energy, ring_harmonic
from tegum.theory.terms import LossTerms, linear_loss_terms, one_active_loss, zero_active_loss

__all__ = [
    "ONE_DIM_PHASES",
    "THOMSON_ENERGY",
    "THOMSON_SHAPE",
    "TWO_DIM_PHASES",
    "Boundaries",
    "ByRareOutput",
    "Channel",
    "LossTerms",
    "Minima",
    "Optimum",
    "PairMinima",
    "Pentagons",
    "PolygonOptimum",
    "Posterior",
    "bent_pentagons",
    "best_linear_loss",
    "best_one_dim",
    "best_polygon",
    "best_two_dim",
    "channel",
    "collapse_border",
    "coulomb_energy",
    "covariance",
    "digon_crossings",
    "expected_loss",
    "interference_loss",
    "linear_loss_terms",
    "local_minima",
    "log_odds",
    "one_active_loss",
    "one_dim_boundaries",
    "one_dim_candidates",
    "one_dim_minima",
    "one_dim_models",
    "one_dim_phase",
    "one_rarer",
    "optimal_loss",
    "pair_border",
    "pair_minima",
    "polygon",
    "polygon_loss",
    "posterior",
    "ring_energy",
    "ring_harmonic",
    "subset_bits",
    "three_pairs",
    "tokens_on_neuron_loss",
    "triple_point",
    "two_digons_loss",
    "two_dim_candidates",
    "two_dim_minima",
    "two_dim_models",
    "two_dim_phase",
    "value_moments",
    "zero_active_loss",
]
