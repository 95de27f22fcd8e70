"""What the speaker of a word is found from: how present everybody is, and where one may stop and the next begin."""
