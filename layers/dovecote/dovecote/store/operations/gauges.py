"""Read the gauges."""

from dovecote.channels import lanes
from dovecote.operations.gauges import Gauges
from dovecote.store.queries import Queries


class PostgresGauges(Queries):
    """The numbers that alarms watch."""

    def gauges(self) -> Gauges:
        """Return the gauges, by one reading of the database's clock."""
        numbers = [lane.number for lane in lanes.ALL]
        channels = [lane.channel for lane in lanes.ALL]
        return Gauges(**self._rows("operations/gauges", lanes=numbers, channels=channels)[0])
