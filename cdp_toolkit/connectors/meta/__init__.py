"""Meta: Facebook, Instagram and their network."""
