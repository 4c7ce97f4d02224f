"""Claim due routes, deliver them, finalise them."""
