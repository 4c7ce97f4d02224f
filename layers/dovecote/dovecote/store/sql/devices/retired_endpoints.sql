-- Read the endpoints of a device that are to be deleted at the provider, the oldest first.
-- Safe: A plain read along the index of devices.
select endpoint
from dovecote.retired_endpoints
where user_id = %(user_id)s and device_session_id = %(device_session_id)s
group by endpoint
order by min(retired_endpoint_id)
