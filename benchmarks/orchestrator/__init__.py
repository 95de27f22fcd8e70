"""How fast and how safe orchestrations are, with workers that compute nothing."""
