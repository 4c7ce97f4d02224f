"""The store of dispatch: claims, results, the state of channels, wake-ups."""
