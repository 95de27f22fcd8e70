"""Names for speakers from what they say: what a language model is asked, how, and what of its answer is believed."""
