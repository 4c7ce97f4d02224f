"""Dovecote: notifications stored in PostgreSQL and delivered by SES and SNS."""

import gc

# A cold start makes 160,000 objects that stay. To look through them for garbage after every 2,000,
# as Python does, is a tenth of its time; what a warm function leaves is found a little later.
gc.set_threshold(250_000)
