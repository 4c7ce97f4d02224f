"""Email by Amazon SES."""

from dovecote.channels import ChannelDefinition
from dovecote.core.parsing.addresses import normalised

CHANNEL = ChannelDefinition(
    folder=__name__, name="email", address_field="email", normalise=normalised
)
