"""What every part of Parley shares: the contract, audio in, words and turns, text out. No torch, no runpod."""
