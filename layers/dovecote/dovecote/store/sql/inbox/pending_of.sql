-- Find the pending submissions that may concern a user or an address, up to `most`. Any text of a
-- recipient may be the address of a channel. Only Python normalises addresses, so every submission
-- counts that has a text with a quote, xn-- or a character beyond ASCII; so does one that PostgreSQL
-- cannot read, which will be refused.
-- Safe: A plain read of all pending submissions, which are few: each waits about a minute. CASE
-- makes PostgreSQL test a text before it is cast.
select notification_id
from dovecote.inbox
where refused_at is null
  and case when not pg_input_is_valid(recipients, 'jsonb') then true
      when %(user_id)s::text is not null then
          recipients::jsonb @> jsonb_build_array(jsonb_build_object('user_id', %(user_id)s::text))
      else exists (
          select from jsonb_array_elements(recipients::jsonb) as one (recipient)
          cross join lateral jsonb_each(
              case jsonb_typeof(recipient) when 'object' then recipient else '{}' end
          ) as member (name, value)
          where jsonb_typeof(value) = 'string'
            and (lower(value #>> '{}' collate "C") = lower(%(address)s::text collate "C")
                 or value #>> '{}' collate "C" ~* '[^ -~]|xn--|"')
      )
  end
order by notification_id
limit %(most)s
