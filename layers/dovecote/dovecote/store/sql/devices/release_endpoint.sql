-- Take an endpoint from the device that had it: a token that changes hands goes to its new user.
-- SNS has one endpoint for a token; with two rows one user's messages would reach the other.
-- Safe: One row along the index of endpoints. skip_device.sql skips the routes of the first device.
delete from dovecote.push_devices
where endpoint = %(endpoint)s
  and (user_id, device_session_id) <> (%(user_id)s, %(device_session_id)s)
returning user_id, device_session_id
