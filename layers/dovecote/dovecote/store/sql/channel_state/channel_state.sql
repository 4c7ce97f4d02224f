-- Read the state of a channel and its resources.
-- Safe: A plain read. schema/migrations/0004_channel_state.sql has the function's body.
select * from dovecote.state_of_channel(%(channel)s)
