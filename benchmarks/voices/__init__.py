"""How well known speakers are told from strangers, and from which similarity on."""
