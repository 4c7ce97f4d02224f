"""Properties are held by their examples, however busy the machine is."""

from hypothesis import HealthCheck, settings

settings.register_profile("dovecote", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dovecote")
