"""Who said which word: Parley's rule against those of other projects, with the same words and the same turns."""
