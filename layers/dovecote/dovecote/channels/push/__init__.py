"""Push notifications by Amazon SNS."""

from dovecote.channels import ChannelDefinition

CHANNEL = ChannelDefinition(
    folder=__name__, name="push", address_field="user_id", normalise=str, has_endpoints=True
)
