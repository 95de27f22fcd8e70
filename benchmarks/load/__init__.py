"""How fast and lean a Parakeet of full size gets from its file to its first inference."""
