"""Active sets: their inverse computed afresh."""

import torch

from tegum.decoders._active_sets import ActiveSets
from tegum.dictionaries.dense import Dense


def test_a_sample_whose_directions_depend_on_each_other_keeps_its_inverse_and_stops_no_other():
    D = Dense(torch.tensor([[1.0, 0, 0], [0, 1, 0], [1, 1, 0]], dtype=torch.float64))
    sets = ActiveSets(D, 2, slots=3)
    sets.index[0, :2], sets.index[1] = torch.tensor([0, 2]), torch.arange(3)
    sets.sign = (sets.index >= 0).double()
    sets.rows = D.directions(sets.index.clamp(min=0).flatten()).unflatten(0, sets.index.shape) * sets.sign[:, :, None]
    sets.inverse[1] = 7.0
    sets.renew()
    wanted = torch.zeros(3, 3, dtype=torch.float64)
    wanted[:2, :2] = torch.tensor([[2.0, -1.0], [-1.0, 1.0]])
    torch.testing.assert_close(sets.inverse[0], wanted)
    assert sets.inverse[1].eq(7).all()
