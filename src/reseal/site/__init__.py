"""The whole deployment: from the roster to the proof."""
