-- Delete notifications with all their records. The entries of users and addresses are deleted
-- first, while the routes still name them: `routes` waits for `unlisted`.
-- Safe: purgeable.sql has locked all their routes in this transaction, and every writer of a route
-- locks it first, so nothing is added meanwhile. One statement, so all is deleted or nothing.
with gone as materialized (
    select r.route_id
    from dovecote.notification_routes r
    where r.notification_id = any (array(select unnest(%(notification_ids)s::uuid[])))
), unlisted as materialized (
    select dovecote.unlist(array(select route_id from gone))
), letters as (
    delete from dovecote.notification_dead_letters
    where route_id = any (array(select route_id from gone))
    returning 1
), events as (
    delete from dovecote.notification_events
    where route_id = any (array(select route_id from gone))
), deliveries as (
    delete from dovecote.email_deliveries
    where route_id = any (array(select route_id from gone))
), further as (
    delete from dovecote.further_acceptances
    where route_id = any (array(select route_id from gone))
), rejections as (
    delete from dovecote.email_rejections
    where route_id = any (array(select route_id from gone))
), routes as (
    delete from dovecote.notification_routes
    where route_id = any (array(select route_id from gone cross join unlisted))
    returning 1
), payloads as (
    delete from dovecote.notification_payloads
    where notification_id = any (array(select unnest(%(notification_ids)s::uuid[])))
), notifications as (
    delete from dovecote.notifications
    where notification_id = any (array(select unnest(%(notification_ids)s::uuid[])))
    returning 1
)
select (select count(*) from notifications) as notifications,
       (select count(*) from routes) as routes,
       (select count(*) from letters) as dead_letters
