-- Give a device a new endpoint for its token, in place of one that was deleted at the provider, and
-- make it live again. A device that has changed, or whose token another device has taken, stays as
-- it is.
-- Safe: One row by primary key, after lock_device.sql, so no other device takes the endpoint
-- meanwhile.
update dovecote.push_devices
set endpoint = %(endpoint)s, dead_at = null, updated_at = clock_timestamp()
where user_id = %(user_id)s and device_session_id = %(device_session_id)s and endpoint = %(deleted)s
  and not exists (
      select from dovecote.push_devices
      where endpoint = %(endpoint)s
        and (user_id, device_session_id) <> (%(user_id)s, %(device_session_id)s)
  )
