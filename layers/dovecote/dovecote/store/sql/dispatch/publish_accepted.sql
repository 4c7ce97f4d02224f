-- Put accepted emails on record and make their routes published, in one statement that commits by
-- itself. statements.py puts record_acceptances.sql and publish.sql before these lines.
-- Safe: As both. The update depends on the count of the insert, so it locks rows of
-- dovecote.notification_routes after those of dovecote.email_deliveries, as every transaction does.
-- All routes have one published_at.
select
    (select count(*) from recorded) as recorded,
    count(*) as published,
    min(published_at) as published_at
from published
