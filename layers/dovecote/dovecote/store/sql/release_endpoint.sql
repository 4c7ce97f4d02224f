-- Take an endpoint from the device that had it: a token that changes hands goes to its new user.
-- Safe: one row along the index of endpoints. SNS has one endpoint for a token; were it left with two
-- rows, one user's messages would reach the other. The routes of the first are skip_device's.
delete from dovecote.push_devices
where endpoint = %(endpoint)s
  and (user_id, device_session_id) <> (%(user_id)s, %(device_session_id)s)
returning user_id, device_session_id
