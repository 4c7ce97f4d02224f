-- Room for a route's second version. Publishing writes an entry anew in every index that holds its route, next
-- to the first: both came in the order of time, so that the page is in memory, but it was filled to the brim
-- when the route was stored, and had to be split, or searched for entries that could go. docs/performance.md.

alter index dovecote.notification_routes_pkey set (fillfactor = 45);
alter index dovecote.notification_routes_notification set (fillfactor = 45);
