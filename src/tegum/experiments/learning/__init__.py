"""What is learnt from activations whose true features are known."""
