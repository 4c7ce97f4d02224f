-- Put accepted emails on record, make their routes published and count these, in one statement.
-- statements.py puts record_acceptances.sql and publish.sql before these lines.
-- Safe: As both. The update depends on the count of the insert, so it locks rows of
-- dovecote.notification_routes after those of dovecote.email_deliveries, as every transaction does. The
-- count is in a row that only this connection changes. All routes have one published_at.
select
    (select count(*) from recorded) as recorded,
    dovecote.add_to_minute(count(*), 0, 0) as published,
    min(published_at) as published_at
from published
